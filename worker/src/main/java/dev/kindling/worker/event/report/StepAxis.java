package dev.kindling.worker.event.report;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.OptionalLong;
import java.util.SortedMap;
import java.util.TreeMap;

/** The one axis of all pictures of a run: steps, and when they were done. */
final class StepAxis {
  private static final int TICKS = 5;

  private final long first;
  private final long last;
  private final SortedMap<Long, Long> unixMillis;
  private final long startMillis;

  /**
   * @param unixMillis when a step was reported, of those whose time is known
   * @param startMillis when the run began, 0 if unknown
   */
  StepAxis(long first, long last, SortedMap<Long, Long> unixMillis, long startMillis) {
    this.first = first;
    this.last = Math.max(last, first + 1);
    this.unixMillis = new TreeMap<>(unixMillis);
    this.startMillis = startMillis;
  }

  /** 0 at the first step, 1 at the last. */
  double fraction(double step) {
    return (step - first) / (last - first);
  }

  /** As SVG and CSS write a coordinate; never outside the plot. */
  String percent(double step) {
    double inside = Math.max(0, Math.min(1, fraction(step)));
    return String.format(Locale.ROOT, "%.3f%%", 100 * inside);
  }

  /** Round steps inside the axis. */
  List<Long> ticks() {
    double raw = Math.max(1, (last - first) / (double) TICKS);
    double power = Math.pow(10, Math.floor(Math.log10(raw)));
    double digit = raw / power;
    long step = Math.max(1, Math.round((digit <= 1 ? 1 : digit <= 2.5 ? 2 : 5) * power));
    List<Long> ticks = new ArrayList<>();
    for (long tick = Math.floorDiv(first + step - 1, step) * step; tick <= last; tick += step) {
      ticks.add(tick);
    }
    return ticks;
  }

  /** Milliseconds from the start of the run to this step, empty if nobody knows. */
  OptionalLong elapsedMillis(long step) {
    SortedMap<Long, Long> before = unixMillis.headMap(step + 1);
    long time = before.isEmpty() ? 0 : unixMillis.getOrDefault(before.lastKey(), 0L);
    return startMillis == 0 || time < startMillis
        ? OptionalLong.empty()
        : OptionalLong.of(time - startMillis);
  }
}
