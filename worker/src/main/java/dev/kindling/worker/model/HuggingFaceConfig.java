package dev.kindling.worker.model;

import dev.kindling.kernels.graph.PlanException;
import dev.kindling.worker.store.Json;
import java.util.Optional;

/**
 * A config.json of transformers, read with an eye on what would change the arithmetic: a setting
 * that this house has no op for is refused, not ignored.
 */
final class HuggingFaceConfig {
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
    Optional<Json.Obj> newer = find("rope_parameters").map(v -> v.asObject("rope_parameters"));
    newer.ifPresent(HuggingFaceConfig::requireDefaultRope);
    find("rope_scaling")
        .map(v -> v.asObject("rope_scaling"))
        .ifPresent(HuggingFaceConfig::requireDefaultRope);
    return newer
        .flatMap(rope -> rope.find("rope_theta"))
        .map(value -> number("rope_theta", value))
        .orElseGet(() -> number("rope_theta", 10000.0));
  }

  private static void requireDefaultRope(Json.Obj rope) {
    String type = rope.find("rope_type").map(value -> value.asText("rope_type")).orElse("default");
    if (!type.equals("default")) {
      throw wrong("rope_type", "default", type);
    }
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
