package dev.kindling.worker.event.report;

import dev.kindling.worker.store.Json;
import dev.kindling.worker.store.JsonLines;
import dev.kindling.worker.store.JsonReader;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
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
 * @param accuracy lines that hold the share of questions answered right, by step
 */
public record MetricsLog(
    SortedMap<Long, Json.Obj> byStep,
    SortedMap<Long, Json.Obj> validation,
    SortedMap<Long, Json.Obj> accuracy) {

  /** Reads the file; an absent one is empty. */
  public static MetricsLog read(Path file) throws IOException {
    return of(lines(file));
  }

  /** Objects of the file in order; an absent one has none, and a line that a kill tore is none. */
  static List<Json.Obj> lines(Path file) throws IOException {
    List<Json.Obj> objects = new ArrayList<>();
    if (Files.exists(file)) {
      try (InputStream in = new BufferedInputStream(Files.newInputStream(file))) {
        JsonLines.read(
            in, file.toString(), JsonReader.Limits.DEFAULT, objects::add, (line, torn) -> {});
      }
    }
    return objects;
  }

  /** What counts of lines in the order of the file. */
  static MetricsLog of(List<Json.Obj> lines) {
    return new MetricsLog(
        counting(lines, "loss"),
        counting(lines, "val_loss"),
        counting(lines, "validation_accuracy"));
  }

  /** Lines whose step was logged before: steps that a restart computed again. */
  public static long repeated(Path file) throws IOException {
    return repeated(lines(file));
  }

  static long repeated(List<Json.Obj> lines) {
    Set<Long> seen = new HashSet<>();
    return lines.stream()
        .filter(line -> line.find("loss").isPresent())
        .filter(line -> !seen.add(line.integer("step", 0, Long.MAX_VALUE)))
        .count();
  }

  private static SortedMap<Long, Json.Obj> counting(List<Json.Obj> lines, String key) {
    SortedMap<Long, Json.Obj> byStep = new TreeMap<>();
    for (Json.Obj line : lines) {
      long step = line.integer("step", 0, Long.MAX_VALUE);
      if (line.find(key).isPresent()) {
        byStep.merge(step, line, MetricsLog::counting);
      }
    }
    return byStep;
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
