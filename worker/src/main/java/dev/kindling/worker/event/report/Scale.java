package dev.kindling.worker.event.report;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * A linear axis whose ends and ticks are round numbers: 1, 2 or 5 times a power of ten.
 *
 * @param low value at the lower end
 * @param high value at the upper end, above {@code low}
 * @param step between ticks
 */
public record Scale(double low, double high, double step) {
  /** Of two axes as good as each other the one with less paper; about this many ticks. */
  private static final int TICKS = 5;

  /** Covers finite values; a range of no width becomes one around it. */
  public static Scale covering(double min, double max) {
    double low = Math.min(min, max);
    double width = Math.abs(max - min);
    if (!(width > Math.abs(max) * 1e-9)) {
      width = max == 0 ? 1 : Math.abs(max) * 0.2;
      low = max - width / 2;
      low = max >= 0 ? Math.max(0, low) : low;
    }
    double step = roundStep(width / (TICKS - 1));
    double first = Math.floor(low / step + 1e-9) * step;
    double last = Math.ceil((low + width) / step - 1e-9) * step;
    return new Scale(first, last, step);
  }

  /** The same, from zero. */
  public static Scale fromZero(double max) {
    return covering(0, max > 0 ? max : 1);
  }

  private static double roundStep(double raw) {
    double power = Math.pow(10, Math.floor(Math.log10(raw)));
    double digit = raw / power;
    return (digit <= 1 ? 1 : digit <= 2 ? 2 : digit <= 5 ? 5 : 10) * power;
  }

  /** Where a value lies between the ends, 0 to 1 inside. */
  public double fraction(double value) {
    return (value - low) / (high - low);
  }

  public List<Double> ticks() {
    List<Double> ticks = new ArrayList<>();
    int count = (int) Math.round((high - low) / step);
    for (int i = 0; i <= count; i++) {
      ticks.add(low + i * step);
    }
    return ticks;
  }

  /** A tick as text, with as many decimals as tell it from its neighbours. */
  public String label(double tick) {
    double largest = Math.max(Math.abs(low), Math.abs(high));
    if (largest >= 1e7 || step < 1e-5) {
      return String.format(Locale.ROOT, "%.2g", tick);
    }
    int decimals = (int) Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
    return String.format(Locale.ROOT, "%,." + decimals + "f", tick == 0 ? 0.0 : tick);
  }
}
