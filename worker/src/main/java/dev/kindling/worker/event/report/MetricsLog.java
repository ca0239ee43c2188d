package dev.kindling.worker.event.report;

import dev.kindling.worker.store.Json;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * A run's {@code metrics.jsonl} as it counts: of several lines of one step the highest attempt, and
 * of those the last. A line that a kill tore is no line.
 *
 * @param byStep lines that hold a loss, by step
 * @param validation lines that hold a validation loss, by step
 */
public record MetricsLog(SortedMap<Long, Json.Obj> byStep, SortedMap<Long, Json.Obj> validation) {

  /** Reads the file; an absent one is empty. */
  public static MetricsLog read(Path file) throws IOException {
    return of(JsonLines.read(file));
  }

  /** What counts of lines in the order of the file. */
  static MetricsLog of(List<Json.Obj> lines) {
    SortedMap<Long, Json.Obj> byStep = new TreeMap<>();
    SortedMap<Long, Json.Obj> validation = new TreeMap<>();
    lines.forEach(line -> keep(line, byStep, validation));
    return new MetricsLog(byStep, validation);
  }

  /** Lines whose step was logged before: steps that a restart computed again. */
  public static long repeated(Path file) throws IOException {
    return repeated(JsonLines.read(file));
  }

  static long repeated(List<Json.Obj> lines) {
    Set<Long> seen = new HashSet<>();
    return lines.stream()
        .filter(line -> line.find("loss").isPresent())
        .filter(line -> !seen.add(line.integer("step", 0, Long.MAX_VALUE)))
        .count();
  }

  private static void keep(
      Json.Obj json, SortedMap<Long, Json.Obj> byStep, SortedMap<Long, Json.Obj> validation) {
    long step = json.integer("step", 0, Long.MAX_VALUE);
    if (json.find("loss").isPresent()) {
      byStep.merge(step, json, MetricsLog::counting);
    }
    if (json.find("val_loss").isPresent()) {
      validation.merge(step, json, MetricsLog::counting);
    }
  }

  private static Json.Obj counting(Json.Obj earlier, Json.Obj later) {
    return attempt(later) >= attempt(earlier) ? later : earlier;
  }

  private static long attempt(Json.Obj json) {
    return json.integer("attempt", 0, Integer.MAX_VALUE);
  }

  /** A number as it was printed; non-finite values come as strings. Empty if the key is absent. */
  public static String text(Json.Obj json, String key) {
    Json value = json.find(key).orElse(Json.of(""));
    return value instanceof Json.Num number
        ? number.text()
        : value instanceof Json.Text text ? text.value() : "";
  }

  /** The value behind {@link #text}; parsing gives the bits that were logged. */
  public static double number(Json.Obj json, String key) {
    String text = text(json, key);
    return text.isEmpty() ? Double.NaN : Double.parseDouble(text);
  }
}
