package dev.kindling.comm.ring;

import dev.kindling.comm.reduce.SpanView;
import dev.kindling.kernels.backend.CollectiveException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.CancelledKeyException;
import java.nio.channels.ClosedSelectorException;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * The one loop that moves bytes. The caller's thread drives all connections of its rank, writing,
 * reading and adding in turn: on a machine with as many ranks as cores a second thread per rank
 * only takes turns with the first.
 *
 * <p>Any failure closes all connections of this rank, so that the peers fail at once as well and
 * nobody waits for a time-out.
 */
final class Exchange {
  private static final Consumer<SelectionKey> RANG = key -> ((Lane) key.attachment()).rang();
  private static final long LONGEST_SLEEP_MILLIS = 1000;
  private static final int SPINS_PER_CLOCK_READ = 16;

  private final int rank;
  private final @Nullable Lane[] lanes;
  private final Lane[] peers;
  private final Selector selector;
  private final SpanView header;
  private final Call call;
  private final long timeoutNanos;
  private final long spinNanos;
  private final boolean crowded;
  private final Seal directSeal = new Seal();
  private final boolean sealed;
  private volatile @Nullable String failure;
  private long bytesSent;

  Exchange(
      int rank,
      @Nullable SocketChannel[] channels,
      @Nullable SharedLink[] links,
      Call call,
      RingOptions options)
      throws IOException {
    this.rank = rank;
    this.call = call;
    Tuning tuning = options.tuning();
    Duration timeout = options.collectiveTimeout();
    timeoutNanos = timeout.toNanos();
    spinNanos = tuning.spin().toNanos();
    crowded = crowded(channels);
    selector = Selector.open();
    lanes = new Lane[channels.length];
    var list = new ArrayList<Lane>();
    for (int peer = 0; peer < channels.length; peer++) {
      SocketChannel channel = channels[peer];
      if (channel != null) {
        Lane lane = new Lane(peer, channel, links[peer], selector, tuning, channels.length);
        lanes[peer] = lane;
        list.add(lane);
      }
    }
    peers = list.toArray(new Lane[0]);
    sealed = list.stream().anyMatch(Lane::sealed);
    header = SpanView.of(ByteBuffer.allocateDirect(Call.HEADER_BYTES + tuning.directBytes()));
  }

  /** True if this host has more ranks than processors: who spins then keeps a peer from running. */
  private static boolean crowded(@Nullable SocketChannel[] channels) throws IOException {
    int ranks = 1;
    for (SocketChannel channel : channels) {
      if (channel != null && SharedOpening.sameHost(channel)) {
        ranks++;
      }
    }
    return ranks > Runtime.getRuntime().availableProcessors();
  }

  Lane lane(int peer) {
    Lane lane = lanes[peer];
    if (lane == null) {
      throw new IllegalArgumentException("peer: rank " + peer + " is this rank");
    }
    return lane;
  }

  Lane[] peers() {
    return peers;
  }

  /** Header of the running call, followed by room for a direct payload. */
  SpanView header() {
    return header;
  }

  long bytesSent() {
    return bytesSent;
  }

  /** Starts a call: writes its header and forgets the pieces of the one before. */
  void begin() {
    String reason = failure;
    if (reason != null) {
      throw new CollectiveException("rank " + rank + " cannot start " + call + ": " + reason);
    }
    call.write(header.bytes());
    for (Lane lane : peers) {
      lane.clear();
    }
  }

  /** Says in the header what its direct payload sums to. */
  void sumDirect(int bytes) {
    if (sealed) {
      directSeal.begin();
      directSeal.add(header, Call.HEADER_BYTES, bytes);
      Call.putSum(header.bytes(), directSeal.value());
    }
  }

  /** Makes both sides of a lane exchange headers, with {@code extra} payload bytes behind them. */
  Lane open(int peer, int extra) {
    Lane lane = lane(peer);
    lane.direct = extra;
    lane.out.add(header, 0, Call.HEADER_BYTES + extra);
    lane.in.add(lane.staging, 0, Call.HEADER_BYTES + extra);
    lane.out.allow(Call.HEADER_BYTES + extra);
    lane.in.allow(Call.HEADER_BYTES + extra);
    return lane;
  }

  /** Runs until all pieces have moved. */
  void run(Flow flow) {
    try {
      long idleSince = 0;
      int spins = 0;
      while (true) {
        long moved = moveAll();
        if (moved > 0) {
          flow.advance();
          ringAll();
          idleSince = 0;
          spins = 0;
        } else if (complete()) {
          requireIntact();
          return;
        } else if (idleSince == 0) {
          idleSince = System.nanoTime();
        } else if (++spins % SPINS_PER_CLOCK_READ == 0 || spinNanos == 0) {
          idle(idleSince);
        } else if (crowded) {
          Thread.yield();
        } else {
          Thread.onSpinWait();
        }
      }
    } catch (IOException | ClosedSelectorException | CancelledKeyException e) {
      throw fail(salvage(), e);
    } catch (CollectiveException e) {
      abort("an earlier collective failed: " + e.getMessage());
      throw e;
    }
  }

  private long moveAll() throws IOException {
    long moved = 0;
    for (Lane lane : peers) {
      int written = lane.write();
      bytesSent += written;
      moved += written + lane.read();
      if (!lane.checked && lane.in.done() >= Call.HEADER_BYTES) {
        check(lane);
        lane.checked = true;
        lane.in.allowAll();
        moved++;
      }
    }
    return moved;
  }

  private boolean complete() {
    for (Lane lane : peers) {
      if (!lane.complete()) {
        return false;
      }
    }
    return true;
  }

  /** Sums of damaged bytes are spread by now, but nothing is done with them before this. */
  private void requireIntact() {
    for (Lane lane : peers) {
      String damage = lane.damage();
      if (!damage.isEmpty()) {
        throw new CollectiveException(
            "rank "
                + rank
                + ", "
                + call
                + ": damaged on the way from "
                + lane.place()
                + ": "
                + damage);
      }
    }
  }

  private void idle(long since) throws IOException {
    long idle = System.nanoTime() - since;
    if (idle < spinNanos) {
      Thread.yield();
      return;
    }
    if (idle > timeoutNanos) {
      throw fail(
          "nothing moved for " + idle / 1_000_000 + " ms; waiting for ranks " + waiting(), null);
    }
    boolean quiet = true;
    for (Lane lane : peers) {
      quiet &= lane.quiet();
    }
    if (quiet) {
      for (Lane lane : peers) {
        lane.listen();
      }
      long left = Math.max(1, (timeoutNanos - idle) / 1_000_000);
      selector.select(RANG, Math.min(left, LONGEST_SLEEP_MILLIS));
    }
    for (Lane lane : peers) {
      lane.awake();
    }
  }

  private void ringAll() {
    for (Lane lane : peers) {
      lane.ring();
    }
  }

  private void check(Lane lane) {
    if (!call.matches(header.bytes(), lane.staging.bytes())) {
      throw new CollectiveException(disagreement(lane));
    }
  }

  private String disagreement(Lane lane) {
    return "ranks disagree: rank "
        + rank
        + " is in "
        + Call.describe(header.bytes())
        + ", rank "
        + lane.peer
        + " is in "
        + Call.describe(lane.staging.bytes());
  }

  private List<Integer> waiting() {
    var waiting = new ArrayList<Integer>();
    for (Lane lane : peers) {
      if (!lane.complete()) {
        waiting.add(lane.peer);
      }
    }
    return waiting;
  }

  private String places() {
    return Arrays.stream(peers)
        .filter(lane -> !lane.complete())
        .map(Lane::place)
        .collect(Collectors.joining(", "));
  }

  /** A connection broke: a header that still lies in a socket may say why; else who is gone. */
  private String salvage() {
    String reason = failure;
    if (reason != null) {
      return reason;
    }
    var lost = new ArrayList<Integer>();
    String better = null;
    for (Lane lane : peers) {
      try {
        lane.salvage();
      } catch (IOException e) {
        lost.add(lane.peer);
      }
      if (!lane.checked
          && lane.in.done() >= Call.HEADER_BYTES
          && !call.matches(header.bytes(), lane.staging.bytes())) {
        better = disagreement(lane);
      }
    }
    return better != null ? better : "lost the connection to ranks " + lost;
  }

  private CollectiveException fail(String reason, @Nullable Exception cause) {
    String message = "rank " + rank + ", " + call + ": " + reason + "; incomplete with " + places();
    abort("an earlier collective failed: " + message);
    return cause == null
        ? new CollectiveException(message)
        : new CollectiveException(message, cause);
  }

  /** Closes everything; safe from any thread, any number of times. The first reason stays. */
  void abort(String reason) {
    synchronized (this) {
      if (failure == null) {
        failure = reason;
      }
    }
    for (Lane lane : peers) {
      lane.close();
    }
    try {
      selector.close();
    } catch (IOException e) {
      throw new IllegalStateException("a selector does not fail to close", e);
    }
  }
}
