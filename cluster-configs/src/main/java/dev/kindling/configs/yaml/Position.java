package dev.kindling.configs.yaml;

/**
 * A place in a source, counted from 1. For {@code --set} the file is {@code --set}, the line is the
 * ordinal of the assignment on the command line and the column counts inside the assignment.
 */
public record Position(String file, int line, int column) {
  @Override
  public String toString() {
    return file + ":" + line + ":" + column;
  }
}
