package dev.kindling.configs.yaml;

import java.util.List;
import java.util.stream.Collectors;

/** A configuration that cannot be used; holds every error that was found, in source order. */
public final class ConfigException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final transient List<ConfigError> errors;

  public ConfigException(List<ConfigError> errors) {
    super(errors.stream().map(ConfigError::toString).collect(Collectors.joining("\n")));
    this.errors = List.copyOf(errors);
  }

  ConfigException(Position position, String message) {
    this(List.of(ConfigError.at(position, "", message)));
  }

  public List<ConfigError> errors() {
    return errors;
  }
}
