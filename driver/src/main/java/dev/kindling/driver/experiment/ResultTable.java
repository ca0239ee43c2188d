package dev.kindling.driver.experiment;

import dev.kindling.worker.event.report.MetricsLog;
import dev.kindling.worker.store.Json;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;

/** Runs of an experiment, a line each. */
final class ResultTable {
  private final List<String> heads = new ArrayList<>();
  private final List<List<String>> rows = new ArrayList<>();

  /** One line of the table: a run, what became of it, and its metrics. */
  record Row(PlannedRun run, String status, MetricsLog metrics) {}

  /** Values of one line by their heads; a head that no line has is left out. */
  private interface Figures {
    Map<String, String> of(Row line);
  }

  private ResultTable(List<Row> lines, Figures figures) {
    Set<String> paths = new LinkedHashSet<>();
    lines.forEach(line -> paths.addAll(line.run().own().keySet()));
    Set<String> names = new LinkedHashSet<>();
    lines.forEach(line -> names.addAll(figures.of(line).keySet()));
    heads.add("run");
    heads.addAll(paths);
    heads.addAll(names);
    for (Row line : lines) {
      List<String> row = new ArrayList<>();
      row.add(line.run().name());
      paths.forEach(path -> row.add(line.run().own().getOrDefault(path, "")));
      Map<String, String> values = figures.of(line);
      names.forEach(name -> row.add(values.getOrDefault(name, "")));
      rows.add(row);
    }
  }

  /** What a kill cannot change: no times, no attempts. */
  static ResultTable ofResults(List<Row> lines) {
    return new ResultTable(lines, ResultTable::results);
  }

  /** What the runs took, as the lines that count say it: milliseconds, seconds, bytes. */
  static ResultTable ofCosts(List<Row> lines) {
    return new ResultTable(lines, ResultTable::costs);
  }

  static Map<String, String> results(Row line) {
    MetricsLog metrics = line.metrics();
    Map<String, String> figures = new LinkedHashMap<>();
    figures.put("status", line.status());
    List.of("steps", "tokens", "loss", "val_loss", "best_val_loss")
        .forEach(name -> figures.put(name, ""));
    last(metrics.byStep())
        .ifPresent(
            last -> {
              figures.put("steps", MetricsLog.text(last, "step"));
              figures.put("tokens", MetricsLog.text(last, "tokens"));
              figures.put("loss", MetricsLog.text(last, "loss"));
            });
    last(metrics.validation())
        .ifPresent(last -> figures.put("val_loss", MetricsLog.text(last, "val_loss")));
    metrics.validation().values().stream()
        .min(Comparator.comparingDouble(at -> MetricsLog.number(at, "val_loss")))
        .ifPresent(best -> figures.put("best_val_loss", MetricsLog.text(best, "val_loss")));
    last(metrics.accuracy())
        .ifPresent(last -> figures.put("accuracy", MetricsLog.text(last, "validation_accuracy")));
    return figures;
  }

  static Map<String, String> costs(Row line) {
    Map<String, String> figures = new LinkedHashMap<>();
    List<Json.Obj> steps = List.copyOf(line.metrics().byStep().values());
    double[] millis =
        steps.stream()
            .mapToDouble(step -> MetricsLog.number(step, "step_ms"))
            .filter(Double::isFinite)
            .sorted()
            .toArray();
    if (millis.length > 0) {
      figures.put("median_step_ms", format("%.2f", millis[millis.length / 2]));
      double seconds = Arrays.stream(millis).average().orElse(0) * lastStep(steps) / 1e3;
      figures.put("seconds_of_steps", format("%.1f", seconds));
    }
    steps.stream()
        .mapToDouble(step -> MetricsLog.number(step, "device_bytes_peak"))
        .filter(Double::isFinite)
        .max()
        .ifPresent(bytes -> figures.put("bytes_peak", format("%.0f", bytes)));
    return figures;
  }

  private static Optional<Json.Obj> last(SortedMap<Long, Json.Obj> lines) {
    return lines.isEmpty() ? Optional.empty() : Optional.ofNullable(lines.get(lines.lastKey()));
  }

  /** Not every step has a line. */
  private static double lastStep(List<Json.Obj> steps) {
    return MetricsLog.number(steps.get(steps.size() - 1), "step");
  }

  private static String format(String pattern, double value) {
    return String.format(Locale.ROOT, pattern, value);
  }

  String csv() {
    StringBuilder out = new StringBuilder();
    csvLine(heads, out);
    rows.forEach(row -> csvLine(row, out));
    return out.toString();
  }

  private static void csvLine(List<String> cells, StringBuilder out) {
    String separator = "";
    for (String cell : cells) {
      boolean quote = cell.contains(",") || cell.contains("\"") || cell.contains("\n");
      out.append(separator).append(quote ? "\"" + cell.replace("\"", "\"\"") + "\"" : cell);
      separator = ",";
    }
    out.append('\n');
  }

  String markdown() {
    StringBuilder out = new StringBuilder();
    markdownLine(heads, out);
    markdownLine(heads.stream().map(head -> "---").toList(), out);
    rows.forEach(row -> markdownLine(row, out));
    return out.toString();
  }

  private static void markdownLine(List<String> cells, StringBuilder out) {
    out.append('|');
    for (String cell : cells) {
      out.append(' ').append(cell.replace("|", "\\|")).append(" |");
    }
    out.append('\n');
  }
}
