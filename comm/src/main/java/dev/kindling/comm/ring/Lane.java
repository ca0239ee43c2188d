package dev.kindling.comm.ring;

import dev.kindling.comm.reduce.SpanView;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import org.jspecify.annotations.Nullable;

/**
 * The authenticated connection to one peer and what moves over it now: through the socket, or
 * through shared memory with the socket as door bell.
 */
final class Lane {
  private static final int BELL_BYTES = 64;

  final int peer;
  final SpanView staging;
  final Track out;
  final Track in;
  final Inlet inlet;
  boolean checked;

  /** Payload bytes behind the header that came with it. */
  int direct;

  private final String address;
  private final SocketChannel channel;
  private final SelectionKey key;
  private final @Nullable SharedLink shared;

  /** Whether bytes leave the host on their way: within it a sum costs time and finds nothing. */
  private final boolean sealed;

  private final ByteBuffer bell = ByteBuffer.allocateDirect(BELL_BYTES);
  private final Seal directSeal = new Seal();
  private int interest;
  private boolean rang;
  private boolean ended;

  Lane(
      int peer,
      SocketChannel channel,
      @Nullable SharedLink shared,
      Selector selector,
      Tuning tuning,
      int worldSize)
      throws IOException {
    this.peer = peer;
    this.channel = channel;
    this.address = String.valueOf(channel.getRemoteAddress()).replaceFirst("^.*/", "");
    this.shared = shared;
    key = channel.register(selector, 0, this);
    staging = SpanView.of(ByteBuffer.allocateDirect(Call.HEADER_BYTES + tuning.directBytes()));
    sealed = !SharedOpening.sameHost(channel);
    inlet = shared == null ? new SocketInlet(channel, tuning.windowBytes(), sealed) : shared.inlet;
    Port outlet = shared == null ? new SocketOutlet(channel, sealed) : shared.outlet;
    int pieces = 2 * worldSize + 2;
    out = new Track(pieces, tuning.stepBytes(), outlet, null);
    in = new Track(pieces, tuning.stepBytes(), inlet, inlet);
  }

  void clear() {
    out.clear();
    in.clear();
    checked = false;
    direct = 0;
  }

  int write() throws IOException {
    return out.wants() ? out.move() : 0;
  }

  int read() throws IOException {
    return in.wants() ? in.move() : 0;
  }

  boolean complete() {
    return out.complete() && in.complete();
  }

  boolean sealed() {
    return sealed;
  }

  /** What is wrong with what the peer sent in this collective; empty if nothing. */
  String damage() {
    if (!sealed || !checked) {
      return "";
    }
    directSeal.begin();
    directSeal.add(staging, Call.HEADER_BYTES, direct);
    String damage = Seal.difference(Call.sum(staging.bytes()), directSeal.value());
    return damage.isEmpty() ? inlet.damage() : damage;
  }

  /** The peer for people: its rank and where it is. */
  String place() {
    return "rank " + peer + " at " + address;
  }

  /** Wakes the peer if it sleeps and counters that it waits for may have changed. */
  void ring() {
    if (shared != null && shared.wakesPeer()) {
      try {
        bell.position(0).limit(1);
        channel.write(bell);
      } catch (IOException e) {
        // It is gone. Whoever needs more of it will find that out; it may have had all of ours.
        ended = true;
      }
    }
  }

  /**
   * Asks a peer in shared memory to ring from now on.
   *
   * @return false if something can move now and nobody may sleep
   */
  boolean quiet() throws IOException {
    if (shared == null || !wants()) {
      return true;
    }
    shared.sleeps(true);
    boolean movable =
        (in.wants() && shared.inlet.movable()) || (out.wants() && shared.outlet.movable());
    if (!movable && ended) {
      throw new EOFException("the peer closed the connection");
    }
    return !movable;
  }

  private boolean wants() {
    return in.wants() || out.wants();
  }

  /** Tells the selector what this lane waits for; a lane that waits for nothing is left out. */
  void listen() {
    int wanted =
        (in.wants() ? SelectionKey.OP_READ : 0) | (out.wants() ? SelectionKey.OP_WRITE : 0);
    if (shared != null && wanted != 0) {
      wanted = SelectionKey.OP_READ;
    }
    if (wanted != interest) {
      interest = wanted;
      key.interestOps(wanted);
    }
  }

  /** The selector saw something here. */
  void rang() {
    rang = true;
  }

  /** Ends what {@link #quiet} and {@link #listen} began. */
  void awake() throws IOException {
    if (shared != null) {
      shared.sleeps(false);
      if (rang) {
        answer();
      }
    }
    rang = false;
  }

  /** Takes the bell's bytes, and notes it if the peer is gone: the pipe may still hold its last. */
  private void answer() throws IOException {
    bell.clear();
    ended |= channel.read(bell) < 0;
  }

  /**
   * Reads what is there, if the track wants it.
   *
   * @throws IOException when the peer is gone
   */
  void salvage() throws IOException {
    read();
    if (shared != null) {
      answer();
      if (ended) {
        throw new EOFException("the peer closed the connection");
      }
    }
  }

  void close() {
    try {
      channel.close();
    } catch (IOException e) {
      // Nothing to save: the peer sees the end of the stream either way.
      interest = 0;
    }
  }
}
