package dev.kindling.comm.ring;

import dev.kindling.comm.reduce.SpanView;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * One direction of one connection during one collective: a list of pieces of memory that are
 * written to, or filled from, the socket in order, and how far that may go now.
 *
 * <p>Pieces added by {@link #addWindow} are received into a circular window that the owner of the
 * flow empties by {@link #release}. Reused from call to call; allocates nothing.
 */
final class Track {
  private final @Nullable SpanView[] views;
  private final int[] offsets;
  private final int[] lengths;
  private final int stepBytes;
  private final @Nullable SpanView window;
  private int pieces;
  private int windowed;
  private int current;
  private int inPiece;
  private long done;
  private long ready;
  private long total;
  private long free;
  private long windowStart;
  private long released;

  Track(int maximumPieces, int stepBytes, @Nullable SpanView window) {
    views = new SpanView[maximumPieces];
    offsets = new int[maximumPieces];
    lengths = new int[maximumPieces];
    this.stepBytes = stepBytes;
    this.window = window;
  }

  void clear() {
    pieces = 0;
    windowed = 0;
    current = 0;
    inPiece = 0;
    done = 0;
    ready = 0;
    total = 0;
    free = 0;
    released = 0;
  }

  void add(SpanView view, int offset, int length) {
    views[pieces] = view;
    offsets[pieces] = offset;
    lengths[pieces] = length;
    pieces++;
    total += length;
  }

  /** Appends a piece that passes through the window. All such pieces follow each other. */
  void addWindow(int length) {
    if (windowed == 0) {
      windowStart = total;
    }
    windowed++;
    add(Objects.requireNonNull(window), -1, length);
  }

  /** Bytes moved so far. */
  long done() {
    return done;
  }

  boolean complete() {
    return done == total;
  }

  boolean active() {
    return pieces > 0;
  }

  /** True if bytes could move now, were the socket willing. */
  boolean wants() {
    return done < limit();
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

  /** Says that the first {@code bytes} windowed bytes were used and may be overwritten. */
  void release(long bytes) {
    released = bytes;
  }

  private long limit() {
    if (windowed == 0 || current >= pieces || offsets[current] >= 0) {
      return ready;
    }
    return Math.min(ready, windowStart + released + Objects.requireNonNull(window).length());
  }

  /** Moves what the socket takes or gives, at most one step; returns the bytes moved. */
  int move(SocketChannel channel, boolean writing) throws IOException {
    int moved = 0;
    while (moved < stepBytes) {
      skipEmpty();
      long allowed = limit() - done;
      if (allowed <= 0) {
        break;
      }
      int want = (int) Math.min(Math.min(allowed, lengths[current] - inPiece), stepBytes - moved);
      int got = transfer(channel, writing, want);
      if (got < 0) {
        throw new EOFException("the peer closed the connection");
      }
      moved += got;
      done += got;
      inPiece += got;
      if (got < want && inPiece < lengths[current] && !wrapped()) {
        break;
      }
    }
    skipEmpty();
    return moved;
  }

  /** True if the last transfer was short only because the window ended there. */
  private boolean wrapped() {
    return offsets[current] < 0
        && ((done - windowStart) & (Objects.requireNonNull(window).length() - 1)) == 0;
  }

  private void skipEmpty() {
    while (current < pieces && inPiece == lengths[current]) {
      current++;
      inPiece = 0;
    }
  }

  private int transfer(SocketChannel channel, boolean writing, int want) throws IOException {
    SpanView view = Objects.requireNonNull(views[current]);
    ByteBuffer bytes = view.bytes();
    int at = offsets[current] + inPiece;
    int count = want;
    if (offsets[current] < 0) {
      at = (int) ((done - windowStart) & (view.length() - 1));
      count = Math.min(count, view.length() - at);
    }
    bytes.limit(at + count).position(at);
    try {
      return writing ? channel.write(bytes) : channel.read(bytes);
    } finally {
      bytes.clear();
    }
  }
}
