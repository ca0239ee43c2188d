package dev.kindling.driver.experiment;

import dev.kindling.worker.event.report.Markup;
import dev.kindling.worker.event.report.Scale;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * What every run reached and what it took, a bar each, as one SVG picture: last validation loss,
 * accuracy where there is one, bytes and seconds. Each column has a scale of its own from 0.
 */
final class CostBars {
  private static final int NAMES = 170;
  private static final int BAR = 170;
  private static final int VALUE = 70;
  private static final int ROW = 22;
  private static final int TOP = 40;
  private static final String COLOUR = "#1b6ca8";

  /** One column: its head, a value of each run or NaN, and how one is written. */
  private record Column(String head, double[] values, String pattern) {
    boolean known() {
      return IntStream.range(0, values.length).anyMatch(i -> Double.isFinite(values[i]));
    }

    double largest() {
      return IntStream.range(0, values.length)
          .mapToDouble(i -> values[i])
          .filter(Double::isFinite)
          .max()
          .orElse(0);
    }
  }

  private CostBars() {}

  /** A picture of the runs, in their order. */
  static String draw(List<ResultTable.Row> rows) {
    List<Map<String, String>> results = rows.stream().map(ResultTable::results).toList();
    List<Map<String, String>> costs = rows.stream().map(ResultTable::costs).toList();
    List<Column> columns = new ArrayList<>();
    columns.add(column("validation loss, nats", results, "val_loss", 1, "%.3f"));
    columns.add(column("accuracy", results, "accuracy", 1, "%.3f"));
    columns.add(column("peak memory, MiB", costs, "bytes_peak", 1 << 20, "%,.0f"));
    columns.add(column("steps, seconds", costs, "seconds_of_steps", 1, "%,.1f"));
    columns.removeIf(column -> !column.known());
    StringBuilder out = new StringBuilder();
    out.append(
        String.format(
            Locale.ROOT,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" font-family=\"sans-serif\" font-size=\"12\">\n"
                + "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
            NAMES + columns.size() * (BAR + VALUE),
            TOP + ROW * rows.size() + 10));
    for (int i = 0; i < rows.size(); i++) {
      text(out, NAMES - 10, i, "end", rows.get(i).run().name());
    }
    for (int at = 0; at < columns.size(); at++) {
      bars(out, NAMES + at * (BAR + VALUE), columns.get(at));
    }
    return out.append("</svg>\n").toString();
  }

  private static Column column(
      String head, List<Map<String, String>> figures, String key, double unit, String pattern) {
    double[] values = new double[figures.size()];
    for (int i = 0; i < values.length; i++) {
      String text = figures.get(i).getOrDefault(key, "");
      values[i] = text.isEmpty() ? Double.NaN : Double.parseDouble(text) / unit;
    }
    return new Column(head, values, pattern);
  }

  private static void bars(StringBuilder out, int left, Column column) {
    text(out, left, -1, "start", column.head());
    Scale scale = Scale.fromZero(column.largest());
    for (int i = 0; i < column.values().length; i++) {
      double value = column.values()[i];
      if (Double.isFinite(value)) {
        double length = Math.max(1, scale.fraction(Math.max(value, 0)) * BAR);
        out.append(
            String.format(
                Locale.ROOT,
                "<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"%s\"/>\n",
                left,
                TOP + ROW * i,
                length,
                ROW - 6,
                COLOUR));
        String number = String.format(Locale.ROOT, column.pattern(), value);
        text(out, (int) (left + length + 5), i, "start", number);
      }
    }
  }

  private static void text(StringBuilder out, int x, int row, String anchor, String text) {
    out.append(
        String.format(
            Locale.ROOT,
            "<text x=\"%d\" y=\"%d\" text-anchor=\"%s\">%s</text>\n",
            x,
            TOP + ROW * row + ROW - 10,
            anchor,
            Markup.escaped(text)));
  }
}
