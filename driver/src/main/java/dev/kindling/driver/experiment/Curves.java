package dev.kindling.driver.experiment;

import dev.kindling.worker.event.report.Markup;
import dev.kindling.worker.event.report.MetricsLog;
import dev.kindling.worker.event.report.Scale;
import dev.kindling.worker.store.Json;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SortedMap;

/**
 * Loss over steps of every run as one SVG picture, in training or over the validation set. Written
 * by hand because Java's own drawing needs fonts, and a server that only trains has none; equal
 * metrics give equal bytes.
 */
final class Curves {
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

  private final String key;
  private final String label;

  private Curves(String key, String label) {
    this.key = key;
    this.label = label;
  }

  /** The losses in training of runs by name, in their order. */
  static String training(Map<String, MetricsLog> runs) {
    return new Curves("loss", "loss (nats per token)").draw(runs);
  }

  /** The losses over the validation set. */
  static String validation(Map<String, MetricsLog> runs) {
    return new Curves("val_loss", "validation loss (nats per token)").draw(runs);
  }

  private SortedMap<Long, Json.Obj> lines(MetricsLog metrics) {
    return key.equals("loss") ? metrics.byStep() : metrics.validation();
  }

  private String draw(Map<String, MetricsLog> runs) {
    runs.values().forEach(this::widen);
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
      for (Map.Entry<String, MetricsLog> run : runs.entrySet()) {
        curve(out, run.getKey(), run.getValue(), index++);
      }
    }
    return out.append("</svg>\n").toString().replace("\r\n", "\n");
  }

  private void widen(MetricsLog metrics) {
    lines(metrics)
        .forEach(
            (step, line) -> {
              double loss = MetricsLog.number(line, key);
              if (Double.isFinite(loss)) {
                minLoss = Math.min(minLoss, loss);
                maxLoss = Math.max(maxLoss, loss);
                minStep = Math.min(minStep, step);
                maxStep = Math.max(maxStep, step);
              }
            });
  }

  private double x(double step) {
    return LEFT + Scale.covering(minStep, maxStep).fraction(step) * (WIDTH - LEFT - RIGHT);
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
    for (double step : steps.ticks()) {
      out.append(
          String.format(
              Locale.ROOT,
              "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>%n",
              x(step),
              HEIGHT - BOTTOM + 18,
              steps.label(step)));
    }
    out.append(
        String.format(
            Locale.ROOT,
            "<text x=\"%d\" y=\"%d\">step</text><text x=\"%d\" y=\"%d\">%s</text>%n",
            (LEFT + WIDTH - RIGHT) / 2,
            HEIGHT - 12,
            LEFT,
            TOP - 12,
            label));
  }

  private void curve(StringBuilder out, String name, MetricsLog metrics, int index) {
    String colour = COLOURS.get(index % COLOURS.size());
    StringBuilder points = new StringBuilder();
    for (Map.Entry<Long, Json.Obj> line : lines(metrics).entrySet()) {
      double loss = MetricsLog.number(line.getValue(), key);
      if (Double.isFinite(loss)) {
        points.append(String.format(Locale.ROOT, "%.2f,%.2f ", x(line.getKey()), y(loss)));
      }
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
}
