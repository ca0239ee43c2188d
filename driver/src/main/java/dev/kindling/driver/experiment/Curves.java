package dev.kindling.driver.experiment;

import dev.kindling.worker.event.report.Markup;
import dev.kindling.worker.event.report.MetricsLog;
import dev.kindling.worker.event.report.Scale;
import dev.kindling.worker.store.Json;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Function;

/**
 * Loss over steps as one SVG picture: of every run, in training or over the validation set, or of
 * runs that differ in their seeds alone as their mean in a band from the smallest to the largest.
 * Other figures over sizes have a logarithmic axis. Written by hand because Java's own drawing
 * needs fonts, and a server that only trains has none; equal metrics give equal bytes.
 */
public final class Curves {
  private static final int WIDTH = 900;
  private static final int HEIGHT = 520;
  private static final int LEFT = 70;
  private static final int TOP = 30;
  private static final int RIGHT = 260;
  private static final int BOTTOM = 50;
  private static final List<String> COLOURS =
      List.of(
          "#1b6ca8", "#d1495b", "#2e933c", "#8e44ad", "#e08e0b", "#117a65", "#7f5539", "#c2185b",
          "#455a64", "#9e9d24");

  private double minLoss = Double.POSITIVE_INFINITY;
  private double maxLoss = Double.NEGATIVE_INFINITY;
  private long minStep = Long.MAX_VALUE;
  private long maxStep = Long.MIN_VALUE;

  private final String across;
  private final String label;
  private final SortedSet<Long> sizes = new TreeSet<>();

  /** Losses of a step over the runs of one curve. */
  record Point(double low, double mean, double high) {
    static Point of(double loss) {
      return new Point(loss, loss, loss);
    }
  }

  private Curves(String label) {
    this("step", label);
  }

  private Curves(String across, String label) {
    this.across = across;
    this.label = label;
  }

  /**
   * Figures by name of their curve and a size of 1 or more, on a logarithmic axis with a tick at
   * every size that has a figure.
   *
   * @param across what sizes are
   * @param label what figures are
   */
  public static String figures(
      String across, String label, Map<String, SortedMap<Long, Double>> curves) {
    Curves picture = new Curves(across, label);
    Map<String, SortedMap<Long, Point>> points = new LinkedHashMap<>();
    curves.forEach(
        (name, curve) -> {
          SortedMap<Long, Point> own = new TreeMap<>();
          curve.forEach((size, figure) -> own.put(size, Point.of(figure)));
          picture.sizes.addAll(own.keySet());
          points.put(name, own);
        });
    return picture.draw(points);
  }

  /** The losses in training of runs by name, in their order. */
  static String training(Map<String, MetricsLog> runs) {
    return new Curves("loss (nats per token)").draw(points(runs, MetricsLog::byStep, "loss"));
  }

  /** The losses over the validation set. */
  static String validation(Map<String, MetricsLog> runs) {
    return new Curves("validation loss (nats per token)").draw(validations(runs));
  }

  /** Validation losses of groups of runs by name. */
  static String seeds(Map<String, SortedMap<Long, Point>> groups) {
    return new Curves("validation loss (nats per token), mean over seeds and its range")
        .draw(groups);
  }

  static Map<String, SortedMap<Long, Point>> validations(Map<String, MetricsLog> runs) {
    return points(runs, MetricsLog::validation, "val_loss");
  }

  private static Map<String, SortedMap<Long, Point>> points(
      Map<String, MetricsLog> runs,
      Function<MetricsLog, SortedMap<Long, Json.Obj>> lines,
      String key) {
    Map<String, SortedMap<Long, Point>> curves = new LinkedHashMap<>();
    runs.forEach(
        (name, metrics) -> {
          SortedMap<Long, Point> points = new TreeMap<>();
          lines
              .apply(metrics)
              .forEach(
                  (step, line) -> {
                    double loss = MetricsLog.number(line, key);
                    if (Double.isFinite(loss)) {
                      points.put(step, Point.of(loss));
                    }
                  });
          curves.put(name, points);
        });
    return curves;
  }

  private String draw(Map<String, SortedMap<Long, Point>> curves) {
    curves.values().forEach(this::widen);
    StringBuilder out = new StringBuilder();
    out.append(
        String.format(
            Locale.ROOT,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" font-family=\"sans-serif\" font-size=\"12\">%n"
                + "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>%n",
            WIDTH,
            HEIGHT));
    if (maxStep >= minStep) {
      axes(out);
      int index = 0;
      for (Map.Entry<String, SortedMap<Long, Point>> each : curves.entrySet()) {
        curve(out, each.getKey(), each.getValue(), index++);
      }
    }
    return out.append("</svg>\n").toString().replace("\r\n", "\n");
  }

  private void widen(SortedMap<Long, Point> points) {
    points.forEach(
        (step, point) -> {
          minLoss = Math.min(minLoss, point.low());
          maxLoss = Math.max(maxLoss, point.high());
          minStep = Math.min(minStep, step);
          maxStep = Math.max(maxStep, step);
        });
  }

  private double x(double step) {
    double share =
        sizes.isEmpty()
            ? Scale.covering(minStep, maxStep).fraction(step)
            : Math.log(step / minStep) / Math.log(Math.max(2, (double) maxStep / minStep));
    return LEFT + share * (WIDTH - LEFT - RIGHT);
  }

  private double y(double loss) {
    double share = Scale.covering(minLoss, maxLoss).fraction(loss);
    return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM);
  }

  private void axes(StringBuilder out) {
    Scale losses = Scale.covering(minLoss, maxLoss);
    for (double loss : losses.ticks()) {
      out.append(
          String.format(
              Locale.ROOT,
              "<line x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\" stroke=\"#ddd\"/>"
                  + "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>%n",
              LEFT,
              y(loss),
              WIDTH - RIGHT,
              y(loss),
              LEFT - 8,
              y(loss) + 4,
              losses.label(loss)));
    }
    Scale steps = Scale.covering(minStep, maxStep);
    sizes.forEach(size -> tick(out, size, String.format(Locale.ROOT, "%,d", size)));
    if (sizes.isEmpty()) {
      steps.ticks().forEach(step -> tick(out, step, steps.label(step)));
    }
    out.append(
        String.format(
            Locale.ROOT,
            "<text x=\"%d\" y=\"%d\">%s</text><text x=\"%d\" y=\"%d\">%s</text>%n",
            (LEFT + WIDTH - RIGHT) / 2,
            HEIGHT - 12,
            Markup.escaped(across),
            LEFT,
            TOP - 12,
            Markup.escaped(label)));
  }

  private void tick(StringBuilder out, double step, String text) {
    out.append(
        String.format(
            Locale.ROOT,
            "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>%n",
            x(step),
            HEIGHT - BOTTOM + 18,
            text));
  }

  private void curve(StringBuilder out, String name, SortedMap<Long, Point> curve, int index) {
    String colour = COLOURS.get(index % COLOURS.size());
    StringBuilder points = new StringBuilder();
    StringBuilder band = new StringBuilder();
    StringBuilder back = new StringBuilder();
    boolean wide = false;
    for (Map.Entry<Long, Point> each : curve.entrySet()) {
      Point point = each.getValue();
      points.append(at(each.getKey(), point.mean()));
      band.append(at(each.getKey(), point.high()));
      back.insert(0, at(each.getKey(), point.low()));
      wide |= point.low() < point.high();
    }
    if (wide) {
      out.append(
          String.format(
              Locale.ROOT,
              "<polygon fill=\"%s\" fill-opacity=\"0.2\" points=\"%s\"/>%n",
              colour,
              (band.toString() + back).trim()));
    }
    int row = TOP + 16 * index;
    out.append(
        String.format(
            Locale.ROOT,
            "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"1.5\" points=\"%s\"/>"
                + "<line x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\" stroke=\"%s\" stroke-width=\"3\"/><text x=\"%d\" y=\"%d\">%s</text>%n",
            colour,
            points.toString().trim(),
            WIDTH - RIGHT + 12,
            row,
            WIDTH - RIGHT + 32,
            row,
            colour,
            WIDTH - RIGHT + 38,
            row + 4,
            Markup.escaped(name)));
  }

  private String at(long step, double loss) {
    return String.format(Locale.ROOT, "%.2f,%.2f ", x(step), y(loss));
  }
}
