package dev.kindling.worker.event;

/** A line that a person should see or that belongs to the last words of a dead worker. */
public record LogLine(int rank, Level level, String text) implements WorkerEvent {
  /** How loud the line is. */
  public enum Level {
    INFO,
    WARN,
    ERROR
  }
}
