package dev.kindling.worker.event.report;

import java.util.Locale;

/**
 * A unit that suits the size of what is shown.
 *
 * @param divisor how many of the logged unit it holds
 * @param name as people write it
 */
record Unit(double divisor, String name) {
  private static final double KIBI = 1024;

  static Unit bytes(double largest) {
    String[] names = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    int power = 0;
    double rest = largest;
    while (rest >= KIBI && power < names.length - 1) {
      rest /= KIBI;
      power++;
    }
    return new Unit(Math.pow(KIBI, power), names[power]);
  }

  static Unit millis(double largest) {
    return largest < 10_000 ? new Unit(1, "ms") : new Unit(1000, "s");
  }

  static Unit rate(double largest, String of) {
    return largest < 10_000
        ? new Unit(1, of)
        : largest < 10_000_000 ? new Unit(1e3, "thousand " + of) : new Unit(1e6, "million " + of);
  }

  static Unit plain(String name) {
    return new Unit(1, name);
  }

  String show(double value) {
    return number(value / divisor) + " " + name;
  }

  /** Three significant digits, no exponent where people would not write one. */
  static String number(double value) {
    double size = Math.abs(value);
    if (!Double.isFinite(value)) {
      return String.valueOf(value);
    }
    if (value == Math.rint(value) && size < 1e9) {
      return String.format(Locale.ROOT, "%,.0f", value);
    }
    if (size != 0 && (size < 1e-3 || size >= 1e9)) {
      return String.format(Locale.ROOT, "%.2e", value);
    }
    int decimals = size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 4;
    return String.format(Locale.ROOT, "%,." + decimals + "f", value);
  }

  /** A span of time as a clock shows it: 4:05, 3:04:05. */
  static String clock(long millis) {
    long seconds = Math.round(millis / 1e3);
    long hours = seconds / 3600;
    return hours == 0
        ? String.format(Locale.ROOT, "%d:%02d", seconds / 60, seconds % 60)
        : String.format(Locale.ROOT, "%d:%02d:%02d", hours, seconds / 60 % 60, seconds % 60);
  }

  /** A span of time in its two largest units. */
  static String span(long millis) {
    long seconds = Math.max(0, Math.round(millis / 1e3));
    long minutes = seconds / 60;
    long hours = minutes / 60;
    return seconds < 60
        ? seconds + " s"
        : minutes < 60
            ? minutes + " min " + seconds % 60 + " s"
            : hours < 48
                ? hours + " h " + minutes % 60 + " min"
                : hours / 24 + " d " + hours % 24 + " h";
  }
}
