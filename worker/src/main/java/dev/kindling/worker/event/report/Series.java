package dev.kindling.worker.event.report;

import dev.kindling.worker.store.Json;
import java.util.Arrays;
import java.util.SortedMap;

/**
 * Values over steps. Non-finite values are kept: they are gaps of a curve.
 *
 * @param name for people
 * @param colour class of the style sheet
 */
record Series(String name, String colour, double[] steps, double[] values) {
  /** Share of the curve on either side that a smoothed value looks at. */
  private static final double RADIUS = 1 / 80.0;

  static Series of(String name, String colour, SortedMap<Long, Json.Obj> lines, String key) {
    double[] steps = new double[lines.size()];
    double[] values = new double[lines.size()];
    int count = 0;
    for (var line : lines.entrySet()) {
      if (line.getValue().find(key).isPresent()) {
        steps[count] = line.getKey();
        values[count++] = MetricsLog.number(line.getValue(), key);
      }
    }
    return new Series(name, colour, Arrays.copyOf(steps, count), Arrays.copyOf(values, count));
  }

  boolean isEmpty() {
    return finite().length == 0;
  }

  double[] finite() {
    return Arrays.stream(values).filter(Double::isFinite).toArray();
  }

  /** NaN if there is none. */
  double median() {
    double[] sorted = finite();
    Arrays.sort(sorted);
    return sorted.length == 0 ? Double.NaN : sorted[sorted.length / 2];
  }

  double max() {
    return Arrays.stream(finite()).max().orElse(Double.NaN);
  }

  double min() {
    return Arrays.stream(finite()).min().orElse(Double.NaN);
  }

  double last() {
    return values.length == 0 ? Double.NaN : values[values.length - 1];
  }

  /**
   * The mean of the points around each, as many before as behind: a mean of what came before would
   * lag, and a falling loss would look higher than it is.
   */
  Series smooth(String newColour) {
    int count = values.length;
    double[] sums = new double[count + 1];
    int[] finite = new int[count + 1];
    for (int i = 0; i < count; i++) {
      boolean usable = Double.isFinite(values[i]);
      sums[i + 1] = sums[i] + (usable ? values[i] : 0);
      finite[i + 1] = finite[i] + (usable ? 1 : 0);
    }
    int radius = Math.max(1, (int) (count * RADIUS));
    double[] smooth = new double[count];
    for (int i = 0; i < count; i++) {
      int reach = Math.min(radius, Math.min(i, count - 1 - i));
      int points = finite[i + reach + 1] - finite[i - reach];
      double sum = sums[i + reach + 1] - sums[i - reach];
      smooth[i] = points == 0 ? Double.NaN : sum / points;
    }
    return new Series(name, newColour, steps, smooth);
  }
}
