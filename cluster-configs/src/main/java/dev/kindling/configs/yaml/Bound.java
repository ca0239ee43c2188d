package dev.kindling.configs.yaml;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A bound record and, for each of its leaves by YAML path ({@code optimizer.lr}), where the value
 * came from.
 */
public record Bound<R>(R value, Map<String, ValueOrigin> origins) {
  public Bound {
    origins = Collections.unmodifiableMap(new LinkedHashMap<>(origins));
  }
}
