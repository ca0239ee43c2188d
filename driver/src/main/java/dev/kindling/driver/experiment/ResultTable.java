package dev.kindling.driver.experiment;

import dev.kindling.worker.event.report.MetricsLog;
import dev.kindling.worker.store.Json;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/** The figures of an experiment that a kill cannot change: no times, no attempts. */
final class ResultTable {
  private static final List<String> FIGURES =
      List.of("status", "steps", "tokens", "loss", "val_loss", "best_val_loss");

  private final List<String> heads = new ArrayList<>();
  private final List<List<String>> rows = new ArrayList<>();

  /** One line of the table: a run, what became of it, and its metrics. */
  record Row(PlannedRun run, String status, MetricsLog metrics) {}

  ResultTable(List<Row> lines) {
    Set<String> paths = new LinkedHashSet<>();
    lines.forEach(line -> paths.addAll(line.run().own().keySet()));
    heads.add("run");
    heads.addAll(paths);
    heads.addAll(FIGURES);
    for (Row line : lines) {
      List<String> row = new ArrayList<>();
      row.add(line.run().name());
      paths.forEach(path -> row.add(line.run().own().getOrDefault(path, "")));
      row.add(line.status());
      row.addAll(figures(line.metrics()));
      rows.add(row);
    }
  }

  private static List<String> figures(MetricsLog metrics) {
    List<String> figures = new ArrayList<>(List.of("", "", "", "", ""));
    List<Json.Obj> steps = List.copyOf(metrics.byStep().values());
    if (!steps.isEmpty()) {
      Json.Obj last = steps.get(steps.size() - 1);
      figures.set(0, MetricsLog.text(last, "step"));
      figures.set(1, MetricsLog.text(last, "tokens"));
      figures.set(2, MetricsLog.text(last, "loss"));
    }
    List<Json.Obj> validations = List.copyOf(metrics.validation().values());
    if (!validations.isEmpty()) {
      Json.Obj last = validations.get(validations.size() - 1);
      Json.Obj best = last;
      for (Json.Obj line : validations) {
        boolean better = MetricsLog.number(line, "val_loss") < MetricsLog.number(best, "val_loss");
        best = better ? line : best;
      }
      figures.set(3, MetricsLog.text(last, "val_loss"));
      figures.set(4, MetricsLog.text(best, "val_loss"));
    }
    return figures;
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
