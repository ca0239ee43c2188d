package dev.kindling.comm.ring;

import dev.kindling.comm.reduce.SpanView;
import java.io.EOFException;
import java.io.IOException;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * One direction of one connection during one collective: a list of pieces of memory that are
 * written to, or filled from, a port in order, and how far that may go now.
 *
 * <p>Pieces added by {@link #addWindow} are held in the inlet's window until the owner of the flow
 * releases them. Reused from call to call; allocates nothing.
 */
final class Track {
  private final @Nullable SpanView[] views;
  private final int[] offsets;
  private final int[] lengths;
  private final int stepBytes;
  private final Port port;
  private final @Nullable Inlet inlet;
  private int pieces;
  private int current;
  private int inPiece;
  private long done;
  private long ready;
  private long total;
  private long free;

  /** Of the seal behind the pieces, not yet moved. */
  private int sealLeft;

  /** A track over {@code port}; {@code inlet} is the same port if it receives. */
  Track(int maximumPieces, int stepBytes, Port port, @Nullable Inlet inlet) {
    views = new SpanView[maximumPieces];
    offsets = new int[maximumPieces];
    lengths = new int[maximumPieces];
    this.stepBytes = stepBytes;
    this.port = port;
    this.inlet = inlet;
  }

  void clear() {
    port.begin();
    pieces = 0;
    current = 0;
    inPiece = 0;
    done = 0;
    ready = 0;
    total = 0;
    free = 0;
    sealLeft = 0;
  }

  void add(SpanView view, int offset, int length) {
    views[pieces] = view;
    offsets[pieces] = offset;
    lengths[pieces] = length;
    if (pieces > 0 && length > 0) {
      // The first piece is the header, which has its own sum.
      sealLeft = port.sealBytes();
    }
    pieces++;
    total += length;
  }

  /** Appends a piece that passes through the window. All such pieces follow each other. */
  void addWindow(int length) {
    add(Objects.requireNonNull(inlet).window(), -1, length);
  }

  /** Bytes moved so far. */
  long done() {
    return done;
  }

  boolean complete() {
    return done == total && sealLeft == 0;
  }

  /** True if bytes could move now, were the port willing. */
  boolean wants() {
    return allowed() > 0 || (done == total && sealLeft > 0);
  }

  /** Lets the track move up to byte {@code bytes} of its pieces. */
  void allow(long bytes) {
    ready = Math.min(bytes, total);
  }

  /** Lets all pieces that were added so far move. */
  void allowAll() {
    free = total;
    ready = total;
  }

  /** Lets {@code bytes} more move than the last {@link #allowAll} did. */
  void allowBeyond(long bytes) {
    ready = Math.min(free + bytes, total);
  }

  private long allowed() {
    long left = ready - done;
    if (inlet == null || current >= pieces || offsets[current] >= 0) {
      return left;
    }
    return Math.min(left, inlet.room());
  }

  /** Moves what the port takes or gives, at most one step; returns the bytes moved. */
  int move() throws IOException {
    int moved = 0;
    while (moved < stepBytes) {
      skipEmpty();
      long allowed = allowed();
      if (allowed <= 0) {
        break;
      }
      int want = (int) Math.min(Math.min(allowed, lengths[current] - inPiece), stepBytes - moved);
      int got = moved(transfer(want));
      moved += got;
      done += got;
      inPiece += got;
      if (got < want) {
        break;
      }
    }
    skipEmpty();
    if (done == total && sealLeft > 0) {
      int got = moved(port.moveSeal());
      sealLeft -= got;
      moved += got;
    }
    return moved;
  }

  private static int moved(int bytes) throws EOFException {
    if (bytes < 0) {
      throw new EOFException("the peer closed the connection");
    }
    return bytes;
  }

  private void skipEmpty() {
    while (current < pieces && inPiece == lengths[current]) {
      current++;
      inPiece = 0;
    }
  }

  private int transfer(int want) throws IOException {
    if (offsets[current] < 0) {
      return Objects.requireNonNull(inlet).hold(want);
    }
    SpanView view = Objects.requireNonNull(views[current]);
    int at = offsets[current] + inPiece;
    int got = port.move(view, at, want);
    if (current > 0 && got > 0) {
      port.sum(view, at, got);
    }
    return got;
  }
}
