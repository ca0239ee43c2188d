package dev.kindling.driver.experiment;

import dev.kindling.worker.event.report.MetricsLog;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.SortedMap;
import java.util.TreeMap;

/** Runs that differ in their seeds alone, taken together: mean and spread of their losses. */
final class SeedGroups {
  private static final String SEED = "seed";

  /** Lines by the name of the first of each group; groups of several alone. */
  private final Map<String, List<ResultTable.Row>> groups = new LinkedHashMap<>();

  SeedGroups(List<ResultTable.Row> lines) {
    Map<Map<String, String>, List<ResultTable.Row>> equal = new LinkedHashMap<>();
    for (ResultTable.Row line : lines) {
      Map<String, String> own = new LinkedHashMap<>(line.run().own());
      own.remove(SEED);
      equal.computeIfAbsent(own, key -> new ArrayList<>()).add(line);
    }
    for (List<ResultTable.Row> group : equal.values()) {
      if (group.size() > 1) {
        groups.put(group.get(0).run().name(), group);
      }
    }
  }

  boolean isEmpty() {
    return groups.isEmpty();
  }

  /** One line a group: last validation losses of the runs that have one, nats. */
  String markdown() {
    StringBuilder out = new StringBuilder();
    out.append("| runs like | runs | validated | val_loss, mean | standard deviation | smallest |");
    out.append(" largest |\n| --- | --- | --- | --- | --- | --- | --- |\n");
    groups.forEach(
        (name, group) -> {
          double[] losses = lastLosses(group);
          out.append("| ").append(name.replace("|", "\\|")).append(" | ").append(group.size());
          out.append(" | ").append(losses.length);
          for (double figure : figures(losses)) {
            out.append(" | ");
            out.append(Double.isNaN(figure) ? "" : String.format(Locale.ROOT, "%.4f", figure));
          }
          out.append(" |\n");
        });
    return out.toString();
  }

  private static double[] lastLosses(List<ResultTable.Row> group) {
    return group.stream()
        .map(line -> line.metrics().validation())
        .filter(lines -> !lines.isEmpty())
        .map(lines -> Objects.requireNonNull(lines.get(lines.lastKey())))
        .mapToDouble(last -> MetricsLog.number(last, "val_loss"))
        .toArray();
  }

  /** Mean, standard deviation with n - 1, smallest, largest; NaN for what there is none of. */
  private static double[] figures(double[] losses) {
    double sum = 0;
    double low = Double.POSITIVE_INFINITY;
    double high = Double.NEGATIVE_INFINITY;
    for (double loss : losses) {
      sum += loss;
      low = Math.min(low, loss);
      high = Math.max(high, loss);
    }
    if (losses.length == 0) {
      return new double[] {Double.NaN, Double.NaN, Double.NaN, Double.NaN};
    }
    double mean = sum / losses.length;
    double squares = 0;
    for (double loss : losses) {
      squares += (loss - mean) * (loss - mean);
    }
    double deviation = losses.length < 2 ? Double.NaN : Math.sqrt(squares / (losses.length - 1));
    return new double[] {mean, deviation, low, high};
  }

  /** Curves of all groups: the steps at which every run of a group was validated. */
  String picture() {
    Map<String, SortedMap<Long, Curves.Point>> curves = new LinkedHashMap<>();
    groups.forEach((name, group) -> curves.put(name, curve(group)));
    return Curves.seeds(curves);
  }

  private static SortedMap<Long, Curves.Point> curve(List<ResultTable.Row> group) {
    Map<String, MetricsLog> logs = new LinkedHashMap<>();
    group.forEach(line -> logs.put(line.run().name(), line.metrics()));
    Map<Long, List<Double>> losses = new TreeMap<>();
    Curves.validations(logs)
        .values()
        .forEach(
            points ->
                points.forEach(
                    (step, point) ->
                        losses.computeIfAbsent(step, s -> new ArrayList<>()).add(point.mean())));
    SortedMap<Long, Curves.Point> curve = new TreeMap<>();
    losses.forEach(
        (step, found) -> {
          if (found.size() == group.size()) {
            double[] figures = figures(found.stream().mapToDouble(Double::doubleValue).toArray());
            curve.put(step, new Curves.Point(figures[2], figures[0], figures[3]));
          }
        });
    return curve;
  }
}
