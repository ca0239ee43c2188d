package dev.kindling.worker.peft;

import dev.kindling.worker.adapt.Lora;
import dev.kindling.worker.checkpoint.CheckpointException;
import dev.kindling.worker.store.Json;
import dev.kindling.worker.store.JsonException;
import dev.kindling.worker.store.JsonReader;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * adapter_config.json of a LoRA or DoRA adapter; keys and defaults as peft's {@code LoraConfig}.
 *
 * @param base name or path of the base model, for people
 * @param transposed whether the base's matrices are [in, out]
 */
record PeftConfig(
    int rank,
    double alpha,
    boolean rslora,
    boolean dora,
    double dropout,
    List<String> targets,
    List<String> exclude,
    Map<String, Integer> rankPattern,
    Map<String, Double> alphaPattern,
    List<String> modulesToSave,
    boolean transposed,
    String base) {
  static final String FILE = "adapter_config.json";

  /**
   * What this reader does not know, by the values that mean that it is not used; the first is what
   * peft writes. Others may not load: peft 0.21 refuses a directory whose {@code use_bdlora} is
   * false.
   */
  private static final Map<String, List<String>> UNUSED =
      Map.of(
          "alora_invocation_tokens", List.of("null"),
          "layer_replication", List.of("null"),
          "layers_to_transform", List.of("null"),
          "lora_bias", List.of("false", "null"),
          "target_parameters", List.of("null", "[]"),
          "trainable_token_indices", List.of("null"),
          "use_bdlora", List.of("null", "false"),
          "use_qalora", List.of("false", "null"));

  /** First factors that leave the base as it is; others (pissa, olora, loftq, ...) change it. */
  private static final List<String> KEEPING_THE_BASE =
      List.of("true", "false", "null", "\"gaussian\"", "\"eva\"", "\"orthogonal\"");

  /**
   * @throws CheckpointException if it describes another kind of adapter
   */
  static PeftConfig of(byte[] text, String file) {
    try {
      Json.Obj config = JsonReader.read(text, file).asObject("the text");
      require(config, "peft_type", List.of("\"LORA\""), file);
      if (config.find("bias").isPresent()) {
        require(config, "bias", List.of("\"none\""), file);
      }
      if (config.find("init_lora_weights").isPresent()) {
        require(config, "init_lora_weights", KEEPING_THE_BASE, file);
      }
      for (Map.Entry<String, List<String>> unused : UNUSED.entrySet()) {
        if (config.find(unused.getKey()).isPresent()) {
          require(config, unused.getKey(), unused.getValue(), file);
        }
      }
      Map<String, Integer> ranks = new LinkedHashMap<>();
      Map<String, Double> alphas = new LinkedHashMap<>();
      numbers(config, "rank_pattern").forEach((key, value) -> ranks.put(key, value.intValue()));
      alphas.putAll(numbers(config, "alpha_pattern"));
      return new PeftConfig(
          (int) number(config, "r", 8),
          number(config, "lora_alpha", 8),
          flag(config, "use_rslora"),
          flag(config, "use_dora"),
          number(config, "lora_dropout", 0),
          texts(config, "target_modules"),
          texts(config, "exclude_modules"),
          ranks,
          alphas,
          texts(config, "modules_to_save"),
          flag(config, "fan_in_fan_out"),
          config.find("base_model_name_or_path").map(PeftConfig::word).orElse(""));
    } catch (JsonException broken) {
      throw new CheckpointException(broken.getMessage(), broken);
    }
  }

  private static void require(Json.Obj config, String key, List<String> words, String file) {
    String found = config.find(key).map(PeftConfig::written).orElse("none");
    if (!words.contains(found)) {
      throw new CheckpointException(
          file + ": " + key + ": expected " + String.join(" or ", words) + ", found " + found);
    }
  }

  private static String written(Json value) {
    if (value instanceof Json.Text text) {
      return Json.of(text.value()).write();
    }
    return value instanceof Json.Arr list && list.items().isEmpty() ? "[]" : value.write();
  }

  private static String word(Json value) {
    return value instanceof Json.Text text ? text.value() : "";
  }

  private static double number(Json.Obj config, String key, double otherwise) {
    Optional<Json> value = config.find(key);
    if (value.isEmpty()) {
      return otherwise;
    }
    if (value.get() instanceof Json.Num number) {
      return Double.parseDouble(number.text());
    }
    throw new CheckpointException(
        FILE + ": " + key + ": expected a number, found " + value.get().write());
  }

  private static boolean flag(Json.Obj config, String key) {
    return config.find(key).filter(v -> v instanceof Json.Bool bool && bool.value()).isPresent();
  }

  private static List<String> texts(Json.Obj config, String key) {
    Json value = config.find(key).orElse(new Json.Null(Json.NOWHERE));
    if (value instanceof Json.Text text) {
      return List.of(text.value());
    }
    return value instanceof Json.Arr ? config.texts(key) : List.of();
  }

  private static Map<String, Double> numbers(Json.Obj config, String key) {
    Map<String, Double> numbers = new LinkedHashMap<>();
    if (config.find(key).isPresent() && config.get(key) instanceof Json.Obj members) {
      members.members().keySet().forEach(name -> numbers.put(name, number(members, name, 0)));
    }
    return numbers;
  }

  /** peft saves whatever ends in the word, also inside a name: {@code norm} is every norm. */
  private List<String> savedPatterns() {
    return modulesToSave.stream().map(word -> ".*" + Pattern.quote(word)).toList();
  }

  /** What the adapter says, with this in the place of what it leaves at its default. */
  Lora over(Lora told) {
    Map<String, Object> defaults = Lora.defaults();
    return new Lora(
        chosen(told.rank(), defaults.get("rank"), rank),
        chosen(told.alpha(), defaults.get("alpha"), alpha),
        chosen(told.rslora(), defaults.get("rslora"), rslora),
        chosen(told.dropout(), defaults.get("dropout"), dropout),
        chosen(told.targets(), defaults.get("targets"), targets),
        chosen(told.exclude(), defaults.get("exclude"), exclude),
        chosen(told.rankPattern(), defaults.get("rankPattern"), rankPattern),
        chosen(told.alphaPattern(), defaults.get("alphaPattern"), alphaPattern),
        chosen(told.modulesToSave(), defaults.get("modulesToSave"), savedPatterns()),
        told.base(),
        told.path(),
        told.sha256());
  }

  private static <T> T chosen(T told, @Nullable Object otherwise, T own) {
    return told.equals(otherwise) ? own : told;
  }

  /** The text, keys sorted. */
  String text() {
    Map<String, Json> members = new TreeMap<>();
    for (String absent : List.of("auto_mapping", "layers_pattern", "revision")) {
      members.put(absent, new Json.Null(Json.NOWHERE));
    }
    UNUSED.forEach(
        (key, values) ->
            members.put(
                key, values.get(0).equals("false") ? Json.of(false) : new Json.Null(Json.NOWHERE)));
    members.put("alpha_pattern", numbers(alphaPattern));
    members.put("base_model_name_or_path", Json.of(base));
    members.put("bias", Json.of("none"));
    members.put("exclude_modules", words(exclude));
    members.put("fan_in_fan_out", Json.of(transposed));
    members.put("inference_mode", Json.of(true));
    members.put("init_lora_weights", Json.of(true));
    members.put("lora_alpha", number(alpha));
    members.put("lora_dropout", number(dropout));
    members.put("modules_to_save", words(modulesToSave));
    members.put("peft_type", Json.of("LORA"));
    members.put("r", Json.of((long) rank));
    members.put("rank_pattern", numbers(rankPattern));
    members.put("target_modules", Json.strings(targets));
    members.put("task_type", Json.of("CAUSAL_LM"));
    members.put("use_dora", Json.of(dora));
    members.put("use_rslora", Json.of(rslora));
    Json.Building building = Json.object();
    members.forEach(building::put);
    return building.build().write() + "\n";
  }

  private static Json words(List<String> words) {
    return words.isEmpty() ? new Json.Null(Json.NOWHERE) : Json.strings(new ArrayList<>(words));
  }

  private static Json number(double value) {
    boolean whole = value == Math.rint(value) && Math.abs(value) < 1e9;
    return whole ? Json.of((long) value) : new Json.Num(Double.toString(value), Json.NOWHERE);
  }

  private static Json numbers(Map<String, ? extends Number> numbers) {
    Json.Building members = Json.object();
    numbers.forEach((key, value) -> members.put(key, number(value.doubleValue())));
    return members.build();
  }
}
