package dev.kindling.worker.model;

import dev.kindling.worker.store.Json;
import java.util.List;

/** Collects the members of a config.json. */
final class ConfigText {
  private final Json.Building config = Json.object();

  ConfigText architecture(String name) {
    config.put("architectures", Json.strings(List.of(name)));
    return this;
  }

  ConfigText put(String key, String value) {
    config.put(key, value);
    return this;
  }

  ConfigText put(String key, int value) {
    config.put(key, value);
    return this;
  }

  ConfigText put(String key, double value) {
    config.put(key, new Json.Num(Double.toString(value), Json.NOWHERE));
    return this;
  }

  ConfigText put(String key, boolean value) {
    config.put(key, Json.of(value));
    return this;
  }

  /** Says that there is none, where transformers would otherwise assume one of its own. */
  ConfigText absent(String key) {
    config.put(key, new Json.Null(Json.NOWHERE));
    return this;
  }

  String text() {
    return config.build().write() + "\n";
  }
}
