package dev.kindling.comm.reduce;

import dev.kindling.kernels.memory.Span;
import org.jspecify.annotations.Nullable;

/**
 * Remembers the views of the last few spans, by identity, so that a training step, which passes the
 * same spans again and again, allocates nothing. Not safe for several threads.
 */
public final class ViewCache {
  private final @Nullable Span[] spans;
  private final SpanView[] views;
  private int next;

  /** A cache of {@code capacity} spans. */
  public ViewCache(int capacity) {
    spans = new Span[capacity];
    views = new SpanView[capacity];
  }

  /** The views of {@code span}, made on first sight. */
  @SuppressWarnings("ReferenceEquality") // Two spans may be equal in content but not in place.
  public SpanView of(Span span) {
    for (int i = 0; i < spans.length; i++) {
      if (spans[i] == span) {
        return views[i];
      }
    }
    SpanView view = SpanView.of(span);
    spans[next] = span;
    views[next] = view;
    next = (next + 1) % spans.length;
    return view;
  }
}
