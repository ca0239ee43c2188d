package dev.kindling.worker.event;

import java.util.List;
import java.util.stream.Collectors;

/**
 * What a rank's log framework or its process wrote, for the rank's file in the run folder and
 * nobody's screen.
 *
 * @param first number of the first of these lines among all of the rank in this attempt, from 0; a
 *     gap means that lines were dropped
 * @param text a line each: milliseconds since 1970, a blank, the words
 */
public record LoggedLines(int rank, long first, String text) implements WorkerEvent {
  /** One line without its line break. */
  public record Line(long unixMillis, String text) {}

  /** At least one line. */
  static LoggedLines of(int rank, long first, List<Line> lines) {
    String text =
        lines.stream()
            .map(line -> line.unixMillis() + " " + line.text())
            .collect(Collectors.joining("\n"));
    return new LoggedLines(rank, first, text);
  }

  /**
   * @throws IllegalArgumentException if the text is not of this form
   */
  public List<Line> lines() {
    return List.of(text.split("\n", -1)).stream().map(LoggedLines::line).toList();
  }

  private static Line line(String line) {
    int blank = line.indexOf(' ');
    if (blank < 0) {
      throw new IllegalArgumentException("logged line: expected a time, found: " + line);
    }
    return new Line(Long.parseLong(line.substring(0, blank)), line.substring(blank + 1));
  }
}
