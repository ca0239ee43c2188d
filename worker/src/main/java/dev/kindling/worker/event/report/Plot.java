package dev.kindling.worker.event.report;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/**
 * One chart. Steps are placed in percent of the width and values in pixels of a fixed height, so
 * that text keeps its size from a phone to a wide screen; only the curves are stretched, their
 * lines are not.
 */
final class Plot {
  /** Width of the curves' own coordinates. */
  private static final int WIDTH = 1000;

  /** More points than these are drawn as the lowest and highest of each column. */
  private static final int COLUMNS = 500;

  /** A few steps far off (a spike) must not flatten the rest. */
  private static final double SPIKE = 3;

  private static final double USUAL = 0.98;

  /** More lines across than these are drawn fainter. */
  private static final int CROWD = 12;

  private final String title;
  private final Unit unit;
  private final int height;
  private final List<Series> lines = new ArrayList<>();
  private final List<Series> dots = new ArrayList<>();
  private boolean fromZero;
  private boolean namesMarks;

  Plot(String title, Unit unit, int height) {
    this.title = title;
    this.unit = unit;
    this.height = height;
  }

  Plot line(Series series) {
    lines.add(series);
    return this;
  }

  /** A curve of few points, each of which is marked. */
  Plot dots(Series series) {
    dots.add(series);
    return this;
  }

  Plot fromZero() {
    fromZero = true;
    return this;
  }

  /** Says what the lines across it stand for; once on a page is enough. */
  Plot namesMarks() {
    namesMarks = true;
    return this;
  }

  boolean isEmpty() {
    return lines.stream().allMatch(Series::isEmpty) && dots.stream().allMatch(Series::isEmpty);
  }

  /** The chart as a figure; {@code marks} are drawn behind the curves. */
  Markup figure(StepAxis axis, List<Mark> marks) {
    Scale scale = scale();
    Markup out = new Markup();
    out.add("<figure><figcaption><b>%s</b> <span class=\"unit\">%s</span>", title, unit.name());
    for (Series series : named()) {
      out.add("<span class=\"key %s\">%s</span>", series.colour(), series.name());
    }
    if (namesMarks) {
      marks.stream().map(Mark::kind).distinct().forEach(kind -> out.add(kind.key()));
    }
    out.add("</figcaption><div class=\"plot\">");
    out.add(
        "<svg role=\"img\" aria-label=\"%s in %s over steps\" width=\"100%%\" height=\"%d\">",
        title, unit.name(), height);
    grid(out, axis, scale);
    out.add("<g class=\"%s\">", marks.size() > CROWD ? "crowd" : "marks");
    for (Mark mark : marks) {
      mark.line(out, axis, height);
    }
    out.add("</g>%n");
    out.add(
        "<svg viewBox=\"0 0 %d %d\" preserveAspectRatio=\"none\" width=\"100%%\" height=\"%d\">",
        WIDTH, height, height);
    lines.forEach(series -> curve(out, series, axis, scale));
    dots.forEach(series -> curve(out, series, axis, scale));
    out.add("</svg>");
    dots.forEach(series -> marked(out, series, axis, scale));
    return out.add("</svg></div></figure>%n");
  }

  /** Curves that have a name of their own, each colour once. */
  private List<Series> named() {
    List<Series> all = new ArrayList<>(lines);
    all.addAll(dots);
    return all.stream().filter(series -> !series.name().isEmpty() && !series.isEmpty()).toList();
  }

  private Scale scale() {
    double[] all =
        java.util.stream.Stream.concat(lines.stream(), dots.stream())
            .flatMapToDouble(series -> Arrays.stream(series.finite()))
            .map(value -> value / unit.divisor())
            .sorted()
            .toArray();
    double max = all[all.length - 1];
    double usual = all[(int) (USUAL * (all.length - 1))];
    double low = fromZero ? 0 : all[0];
    if (max - low > SPIKE * (usual - low) && usual > low) {
      max = usual + (usual - low) / 2;
    }
    return fromZero ? Scale.fromZero(max) : Scale.covering(low, max);
  }

  private double y(Scale scale, double value) {
    double y = height * (1 - scale.fraction(value / unit.divisor()));
    // A spike leaves the picture at its edge, within what a reader of SVG can hold.
    return Math.max(-height, Math.min(2.0 * height, y));
  }

  private void grid(Markup out, StepAxis axis, Scale scale) {
    for (double tick : scale.ticks()) {
      double y = height * (1 - scale.fraction(tick));
      out.add("<line class=\"grid\" x2=\"100%%\" y1=\"%.1f\" y2=\"%.1f\"/>", y, y);
      out.add(
          "<text class=\"tick\" x=\"-8\" y=\"%.1f\" text-anchor=\"end\">%s</text>%n",
          y + 4, scale.label(tick));
    }
    steps(out, axis, height + 17);
  }

  /** Labels of the common axis. */
  static void steps(Markup out, StepAxis axis, int y) {
    for (long tick : axis.ticks()) {
      out.add(
          "<text class=\"tick\" x=\"%s\" y=\"%d\" text-anchor=\"middle\">%s</text>",
          axis.percent(tick), y, String.format(Locale.ROOT, "%,d", tick));
    }
    out.add("<text class=\"tick\" x=\"-12\" y=\"%d\" text-anchor=\"end\">step</text>%n", y);
  }

  private void curve(Markup out, Series series, StepAxis axis, Scale scale) {
    StringBuilder path = new StringBuilder();
    boolean pen = false;
    for (int i : columns(series)) {
      double value = series.values()[i];
      if (!Double.isFinite(value)) {
        pen = false;
        continue;
      }
      double x = WIDTH * axis.fraction(series.steps()[i]);
      // A point alone is a line of no length, which a round cap makes a dot.
      path.append(
          String.format(Locale.ROOT, pen ? "L%.1f %.1f" : "M%.1f %.1fh0", x, y(scale, value)));
      pen = true;
    }
    if (!path.isEmpty()) {
      out.add("<path class=\"curve %s\" d=\"%s\"/>%n", series.colour(), path);
    }
  }

  /** Which points are drawn: all, or of each column the lowest, the highest and gaps. */
  private static List<Integer> columns(Series series) {
    int count = series.values().length;
    int size = Math.max(1, (count + COLUMNS - 1) / COLUMNS);
    List<Integer> chosen = new ArrayList<>();
    for (int from = 0; from < count; from += size) {
      int low = from;
      int high = from;
      int gap = -1;
      for (int i = from; i < Math.min(count, from + size); i++) {
        double value = series.values()[i];
        gap = Double.isFinite(value) ? gap : i;
        low = value < series.values()[low] ? i : low;
        high = value > series.values()[high] ? i : high;
      }
      chosen.add(Math.min(low, high));
      if (low != high) {
        chosen.add(Math.max(low, high));
      }
      if (gap >= 0 && gap != low && gap != high) {
        chosen.add(gap);
      }
    }
    chosen.sort(null);
    return chosen;
  }

  private void marked(Markup out, Series series, StepAxis axis, Scale scale) {
    int stride = 1 + series.values().length / 60;
    for (int i = series.values().length - 1; i >= 0; i -= stride) {
      double value = series.values()[i];
      if (Double.isFinite(value)) {
        out.add(
            "<circle class=\"dot %s\" cx=\"%s\" cy=\"%.1f\" r=\"4\"><title>%s %s after step"
                + " %d</title></circle>",
            series.colour(),
            axis.percent(series.steps()[i]),
            y(scale, value),
            series.name(),
            Unit.number(value),
            (long) series.steps()[i]);
      }
    }
    out.add("%n");
  }
}
