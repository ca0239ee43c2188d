package dev.kindling.configs.yaml;

/**
 * One thing that is wrong with a configuration; prints as {@code file:line:column path: message}.
 */
public record ConfigError(String file, int line, int column, String path, String message) {
  static ConfigError at(Position position, String path, String message) {
    return new ConfigError(position.file(), position.line(), position.column(), path, message);
  }

  @Override
  public String toString() {
    String where = file + ":" + line + ":" + column;
    return path.isEmpty() ? where + " " + message : where + " " + path + ": " + message;
  }
}
