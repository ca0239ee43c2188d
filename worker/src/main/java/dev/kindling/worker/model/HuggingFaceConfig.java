package dev.kindling.worker.model;

import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.RopeScaling;
import dev.kindling.worker.store.Json;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/**
 * A config.json of transformers, read with an eye on what would change the arithmetic: a setting
 * that this house has no op for is refused, not ignored.
 */
final class HuggingFaceConfig {
  private static final String ORIGINAL_CONTEXT = "original_max_position_embeddings";
  private static final String FULL_LAYERS = "max_window_layers";
  private static final String FULL = "full_attention";
  private static final String SLIDING = "sliding_attention";

  /** A key that is not known may change the frequencies. */
  private static final List<String> ROPE_KEYS =
      List.of(
          "rope_type",
          "type",
          "rope_theta",
          "factor",
          "low_freq_factor",
          "high_freq_factor",
          ORIGINAL_CONTEXT);

  private final Json.Obj config;

  HuggingFaceConfig(Json.Obj config) {
    this.config = config;
  }

  String modelType() {
    return config.text("model_type");
  }

  int size(String key) {
    return optionalSize(key).orElseThrow(() -> wrong(key, "an integer", "none"));
  }

  /** Empty if the key is absent or null. */
  Optional<Integer> optionalSize(String key) {
    return find(key).map(value -> (int) value.asInteger(key, 1, Integer.MAX_VALUE));
  }

  /** Empty if the key is null; {@code absent} if there is no such key. */
  Optional<Integer> optionalSize(String key, int absent) {
    return config.find(key).isPresent() ? optionalSize(key) : Optional.of(absent);
  }

  double number(String key, double otherwise) {
    return find(key).map(value -> number(key, value)).orElse(otherwise);
  }

  boolean flag(String key, boolean otherwise) {
    return find(key)
        .map(value -> value instanceof Json.Bool bool ? bool.value() : refuse(key, value))
        .orElse(otherwise);
  }

  /** The base of the rotary frequencies, where either generation of the library writes it. */
  double ropeTheta() {
    return rope()
        .flatMap(rope -> rope.find("rope_theta"))
        .map(value -> number("rope_theta", value))
        .orElseGet(() -> number("rope_theta", 10000.0));
  }

  /** How the rotary frequencies are stretched; empty if they are not. */
  Optional<RopeScaling> ropeScaling() {
    try {
      return rope().flatMap(HuggingFaceConfig::scaling);
    } catch (IllegalArgumentException refused) {
      throw new PlanException("config.json: rope_scaling: " + refused.getMessage());
    }
  }

  /** The section of either generation of the library; of both, the one that it reads. */
  private Optional<Json.Obj> rope() {
    Optional<Json.Obj> section =
        find("rope_scaling")
            .map(value -> value.asObject("rope_scaling"))
            .or(() -> find("rope_parameters").map(value -> value.asObject("rope_parameters")));
    for (String key : section.map(rope -> rope.members().keySet()).orElse(Set.of())) {
      if (!ROPE_KEYS.contains(key)) {
        throw wrong("rope_parameters", "one of " + String.join(", ", ROPE_KEYS), key);
      }
    }
    return section;
  }

  private static Optional<RopeScaling> scaling(Json.Obj rope) {
    Optional<Json> word = rope.find("rope_type").or(() -> rope.find("type"));
    String type = word.map(value -> value.asText("rope_type")).orElse("default");
    return switch (type) {
      case "default" -> Optional.empty();
      case "linear" -> Optional.of(new RopeScaling.Linear(ropeNumber(rope, "factor")));
      case "llama3" ->
          Optional.of(
              new RopeScaling.Llama3(
                  ropeNumber(rope, "factor"),
                  ropeNumber(rope, "low_freq_factor"),
                  ropeNumber(rope, "high_freq_factor"),
                  (int) rope.integer(ORIGINAL_CONTEXT, 1, Integer.MAX_VALUE)));
      default -> throw wrong("rope_type", "default, linear or llama3", type);
    };
  }

  private static double ropeNumber(Json.Obj rope, String key) {
    return number(key, rope.get(key));
  }

  /**
   * The window of the Qwen families. They can have it in some layers alone, which is refused here.
   *
   * @param layers number of layers
   */
  Optional<Integer> slidingWindow(int layers) {
    boolean used = flag("use_sliding_window", false);
    Optional<Integer> window = used ? optionalSize("sliding_window", 4096) : Optional.empty();
    if (find("layer_types").isPresent()) {
      Set<String> types = new TreeSet<>(config.texts("layer_types"));
      if (types.equals(Set.of(FULL))) {
        return Optional.empty();
      }
      if (types.equals(Set.of(SLIDING)) && window.isPresent()) {
        return window;
      }
      String expected = FULL + (window.isPresent() ? " or " + SLIDING : "") + " in all layers";
      throw wrong("layer_types", expected, String.join(" and ", types));
    }
    int first = find(FULL_LAYERS).map(v -> (int) v.asInteger(FULL_LAYERS, 0, 1 << 20)).orElse(28);
    if (window.isPresent() && first > 0 && first < layers) {
      throw wrong(FULL_LAYERS, "0 or at least all " + layers + " layers", "" + first);
    }
    return first == 0 ? window : Optional.empty();
  }

  /** Refuses any other value than this; absent counts as this. */
  void require(String key, String expected) {
    String found = find(key).map(value -> value.asText(key)).orElse(expected);
    if (!found.equals(expected)) {
      throw wrong(key, expected, found);
    }
  }

  void require(String key, boolean expected) {
    if (flag(key, expected) != expected) {
      throw wrong(key, Boolean.toString(expected), Boolean.toString(!expected));
    }
  }

  private Optional<Json> find(String key) {
    return config.find(key).filter(value -> !(value instanceof Json.Null));
  }

  private static double number(String key, Json value) {
    if (value instanceof Json.Num number) {
      return Double.parseDouble(number.text());
    }
    throw wrong(key, "a number", value.kind());
  }

  private static boolean refuse(String key, Json value) {
    throw wrong(key, "true or false", value.kind());
  }

  private static PlanException wrong(String key, String expected, String found) {
    return new PlanException("config.json: " + key + ": expected " + expected + ", found " + found);
  }
}
