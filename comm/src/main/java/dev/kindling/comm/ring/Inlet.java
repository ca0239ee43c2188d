package dev.kindling.comm.ring;

import dev.kindling.comm.reduce.SpanView;
import java.io.IOException;

/**
 * The receiving direction. Besides copying to a target it can hold bytes in a circular window, from
 * which they are added up and then released. All held bytes of a collective follow each other.
 */
interface Inlet extends Port {
  /** Holds at most {@code count} more bytes; the number held now, -1 as in {@link #move}. */
  int hold(int count) throws IOException;

  /**
   * What is wrong with the bytes that were streamed, by the seal behind them: empty if it fits, or
   * if there is none.
   */
  default String damage() {
    return "";
  }

  /** Bytes that may be held on top of those not yet released. */
  long room();

  /** Says that the first {@code bytes} held bytes were used and may be overwritten. */
  void release(long bytes);

  /** The window; its length is a power of two. */
  SpanView window();

  /** Where in the window held byte {@code index} of this collective lies. */
  int place(long index);
}
