package dev.kindling.worker.prune;

import dev.kindling.kernels.graph.PlanException;
import dev.kindling.worker.checkpoint.CheckpointException;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.model.Weight;
import dev.kindling.worker.store.Json;
import dev.kindling.worker.store.JsonException;
import dev.kindling.worker.store.JsonReader;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;

/**
 * Which heads and MLP channels of a model are left in a smaller one. A group is a key-value head
 * with the query heads that read it. As many stay in every layer, for the families have one width.
 *
 * @param base the larger model, for people
 * @param sizes of the larger model
 * @param layers what stays, by layer
 */
public record Kept(String base, Sizes sizes, List<Layer> layers) {
  /** Beside config.json of the smaller model, and in adapters that were trained on it. */
  public static final String FILE = "kept.json";

  private static final int INDEX_MAX = 1 << 24;
  private static final int LAYERS_MAX = 1000;

  private static final Pattern MAP =
      Pattern.compile("model\\.layers\\.(\\d+)\\.(?:self_attn|mlp)\\.(q|k|v|o|gate|up|down)_proj");

  public Kept {
    layers = List.copyOf(layers);
  }

  /**
   * Widths of a layer.
   *
   * @param heads query heads
   * @param kvHeads key-value heads, a divisor of them
   * @param headDim width of a head
   * @param mlpWidth channels of the MLP
   */
  public record Sizes(int heads, int kvHeads, int headDim, int mlpWidth) {
    /**
     * Those of a model.
     *
     * @throws PlanException for a family whose heads cannot be taken out
     */
    public static Sizes of(ModelFamily model) {
      Map<String, Weight> maps = new HashMap<>();
      model.maps().forEach(map -> maps.put(map.name(), map));
      Weight q = maps.get("model.layers.0.self_attn.q_proj");
      Weight k = maps.get("model.layers.0.self_attn.k_proj");
      Weight gate = maps.get("model.layers.0.mlp.gate_proj");
      if (q == null || k == null || gate == null) {
        throw new PlanException(
            "--structured: expected a llama, mistral, qwen2 or qwen3 model, found "
                + model.getClass().getSimpleName()
                + ", whose head width follows from that of the model");
      }
      int headDim = q.out() / model.heads();
      return new Sizes(model.heads(), k.out() / headDim, headDim, gate.out());
    }

    int group() {
      return heads / kvHeads;
    }
  }

  /**
   * What stays of one layer, ascending.
   *
   * @param groups key-value heads
   * @param channels of the MLP
   */
  public record Layer(List<Integer> groups, List<Integer> channels) {
    public Layer {
      groups = List.copyOf(groups);
      channels = List.copyOf(channels);
    }
  }

  /** Widths of the smaller model. */
  public Sizes smaller() {
    int groups = layers.get(0).groups().size();
    int channels = layers.get(0).channels().size();
    return new Sizes(groups * sizes.group(), groups, sizes.headDim(), channels);
  }

  /** Output features of a linear map that stay; empty where all do. */
  public Optional<int[]> outputs(String map) {
    return features(map, true);
  }

  /** Input features of a linear map that stay; empty where all do. */
  public Optional<int[]> inputs(String map) {
    return features(map, false);
  }

  private Optional<int[]> features(String map, boolean outputs) {
    Matcher match = MAP.matcher(map);
    if (!match.matches()) {
      return Optional.empty();
    }
    Layer layer = layers.get(Integer.parseInt(match.group(1)));
    int c = sizes.headDim();
    return switch (match.group(2)) {
      case "q" -> outputs ? Optional.of(runs(layer.groups(), sizes.group() * c)) : Optional.empty();
      case "k", "v" -> outputs ? Optional.of(runs(layer.groups(), c)) : Optional.empty();
      case "o" -> outputs ? Optional.empty() : Optional.of(runs(layer.groups(), sizes.group() * c));
      case "down" -> outputs ? Optional.empty() : Optional.of(runs(layer.channels(), 1));
      default -> outputs ? Optional.of(runs(layer.channels(), 1)) : Optional.empty();
    };
  }

  private static int[] runs(List<Integer> indices, int width) {
    return indices.stream()
        .flatMapToInt(index -> IntStream.range(index * width, (index + 1) * width))
        .toArray();
  }

  /**
   * Checks that these are heads and channels of a model.
   *
   * @throws CheckpointException with what differs
   */
  public void requireOf(ModelFamily model, String shown) {
    Sizes found = Sizes.of(model);
    if (!found.equals(sizes) || model.layers() != layers.size()) {
      throw new CheckpointException(
          shown
              + ": expected the model of which "
              + FILE
              + " says what was kept, "
              + layers.size()
              + " layers of "
              + sizes
              + ", found "
              + model.layers()
              + " of "
              + found);
    }
  }

  /** The text of the file. */
  public String text() {
    List<Json> each = new ArrayList<>();
    for (Layer layer : layers) {
      each.add(
          Json.object()
              .put("groups", numbers(layer.groups()))
              .put("channels", numbers(layer.channels()))
              .build());
    }
    return Json.object()
            .put("base", base)
            .put("heads", sizes.heads())
            .put("kv_heads", sizes.kvHeads())
            .put("head_dim", sizes.headDim())
            .put("mlp_width", sizes.mlpWidth())
            .put("layers", Json.of(each))
            .build()
            .write()
        + "\n";
  }

  private static Json numbers(List<Integer> values) {
    return Json.of(values.stream().map(value -> Json.of((long) value)).toList());
  }

  /**
   * @param shown name of the file, for people
   * @throws CheckpointException if it is damaged
   */
  public static Kept of(byte[] text, String shown) {
    try {
      Json.Obj file = JsonReader.read(text, shown).asObject("the text");
      Sizes sizes =
          new Sizes(
              size(file, "heads"),
              size(file, "kv_heads"),
              size(file, "head_dim"),
              size(file, "mlp_width"));
      List<Layer> layers = new ArrayList<>();
      for (Json each : file.list("layers")) {
        Json.Obj layer = each.asObject("layers");
        layers.add(
            new Layer(
                indices(layer, "groups", sizes.kvHeads(), shown),
                indices(layer, "channels", sizes.mlpWidth(), shown)));
      }
      Kept kept = new Kept(file.text("base"), sizes, layers);
      kept.check(shown);
      return kept;
    } catch (JsonException broken) {
      throw new CheckpointException(broken.getMessage(), broken);
    }
  }

  private static int size(Json.Obj file, String key) {
    return (int) file.integer(key, 1, INDEX_MAX);
  }

  private static List<Integer> indices(Json.Obj layer, String key, int bound, String shown) {
    List<Integer> indices = new ArrayList<>();
    int last = -1;
    for (Json each : layer.list(key)) {
      int index = (int) each.asInteger(key, 0, bound - 1L);
      if (index <= last) {
        throw new CheckpointException(
            shown + ": " + key + ": expected ascending numbers, found " + index + " after " + last);
      }
      indices.add(index);
      last = index;
    }
    return indices;
  }

  private void check(String shown) {
    boolean equal =
        layers.stream()
            .allMatch(
                layer ->
                    layer.groups().size() == layers.get(0).groups().size()
                        && layer.channels().size() == layers.get(0).channels().size());
    boolean whole = sizes.heads() % sizes.kvHeads() == 0;
    if (layers.isEmpty() || layers.size() > LAYERS_MAX || !equal || !whole) {
      throw new CheckpointException(
          shown + ": expected as many groups and channels in every layer, and heads by kv_heads");
    }
  }
}
