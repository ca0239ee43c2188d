package dev.kindling.configs.yaml;

import java.util.Optional;

/** Where a resolved value came from; {@code position} is empty for a default. */
public record ValueOrigin(Source source, Optional<Position> position) {
  /** The closed list of places a value can come from. */
  public enum Source {
    DEFAULT,
    FILE,
    SET
  }

  public static final ValueOrigin DEFAULT = new ValueOrigin(Source.DEFAULT, Optional.empty());

  static ValueOrigin at(Position position) {
    boolean set = position.file().equals(ConfigDocument.SET);
    return new ValueOrigin(set ? Source.SET : Source.FILE, Optional.of(position));
  }

  /** {@code default}, {@code --set}, or {@code file:line}. */
  @Override
  public String toString() {
    return switch (source) {
      case DEFAULT -> "default";
      case SET -> "--set";
      case FILE -> position.map(p -> p.file() + ":" + p.line()).orElse("file");
    };
  }
}
