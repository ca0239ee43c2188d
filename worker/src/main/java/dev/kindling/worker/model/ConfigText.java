package dev.kindling.worker.model;

import dev.kindling.kernels.graph.RopeScaling;
import dev.kindling.worker.store.Json;
import java.util.List;
import java.util.Optional;

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
    config.put(key, number(value));
    return this;
  }

  ConfigText put(String key, boolean value) {
    config.put(key, Json.of(value));
    return this;
  }

  /** A number, or that there is none. */
  ConfigText put(String key, Optional<Integer> value) {
    return value.isPresent() ? put(key, value.get()) : absent(key);
  }

  /** How rotary frequencies are stretched; nothing where they are not. */
  ConfigText ropeScaling(Optional<RopeScaling> scaling) {
    if (scaling.isEmpty()) {
      return this;
    }
    Json.Building rope = Json.object();
    if (scaling.get() instanceof RopeScaling.Llama3 llama) {
      rope.put("rope_type", "llama3").put("factor", number(llama.factor()));
      rope.put("low_freq_factor", number(llama.lowFreqFactor()));
      rope.put("high_freq_factor", number(llama.highFreqFactor()));
      rope.put("original_max_position_embeddings", llama.originalMaxPositionEmbeddings());
    } else if (scaling.get() instanceof RopeScaling.Linear linear) {
      rope.put("rope_type", "linear").put("factor", number(linear.factor()));
    }
    config.put("rope_scaling", rope.build());
    return this;
  }

  private static Json number(double value) {
    return new Json.Num(Double.toString(value), Json.NOWHERE);
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
