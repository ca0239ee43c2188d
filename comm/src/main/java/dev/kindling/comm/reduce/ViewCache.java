package dev.kindling.comm.reduce;

import dev.kindling.kernels.memory.Span;
import java.util.IdentityHashMap;
import java.util.Map;

/**
 * Remembers the views of spans, by identity, so that a training step, which passes the same spans
 * again and again, allocates nothing. Spans that pass once must not pile up: when there are too
 * many, all are forgotten. Not safe for several threads.
 */
public final class ViewCache {
  private final Map<Span, SpanView> views = new IdentityHashMap<>();
  private final int capacity;

  /** A cache of {@code capacity} spans. */
  public ViewCache(int capacity) {
    this.capacity = capacity;
  }

  /** The views of {@code span}, made on first sight. */
  public SpanView of(Span span) {
    SpanView known = views.get(span);
    if (known != null) {
      return known;
    }
    if (views.size() >= capacity) {
      views.clear();
    }
    SpanView view = SpanView.of(span);
    views.put(span, view);
    return view;
  }
}
