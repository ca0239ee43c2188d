package dev.kindling.benchmarks;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** What a benchmark found: printed one a line as it comes, and kept for the JSON file. */
public final class Results {
  private record Result(String name, String value, String unit) {}

  private final List<Result> results = new ArrayList<>();

  /**
   * Adds a figure, printed with four significant digits; unit {@code x} or {@code count} if it has
   * none.
   */
  public void add(String name, double value, String unit) {
    boolean whole = value == Math.rint(value) && Math.abs(value) < 1e15;
    add(name, whole ? Long.toString((long) value) : digits(value), unit);
  }

  private void add(String name, String value, String unit) {
    results.add(new Result(name, value, unit));
    System.out.println("RESULT " + name + ' ' + value + ' ' + unit);
    System.out.flush();
  }

  /** Prints a line that is no result. */
  public void note(String line) {
    System.out.println(line);
    System.out.flush();
  }

  private static String digits(double value) {
    double size = Math.abs(value);
    int decimals = size >= 1000 ? 0 : size >= 100 ? 1 : size >= 10 ? 2 : size >= 1 ? 3 : 5;
    return String.format(Locale.ROOT, "%." + decimals + "f", value);
  }

  /** Writes all results as one JSON array of objects with name, value and unit. */
  void write(Path file) throws IOException {
    var text = new StringBuilder("[");
    for (Result result : results) {
      text.append(text.length() == 1 ? "\n" : ",\n")
          .append("  {\"name\": \"")
          .append(result.name())
          .append("\", \"value\": ")
          .append(result.value().matches("-?[0-9.]+") ? result.value() : '"' + result.value() + '"')
          .append(", \"unit\": \"")
          .append(result.unit())
          .append("\"}");
    }
    Files.writeString(file, text.append("\n]\n"), StandardCharsets.UTF_8);
  }
}
