package dev.kindling.worker.prune;

import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.memory.Span;
import dev.kindling.kernels.random.Initialization;
import dev.kindling.kernels.random.Philox;
import dev.kindling.worker.model.FirstValues;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.store.Json;
import dev.kindling.worker.store.JsonReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.IntStream;

/**
 * Takes heads and MLP channels out of a model, as LoRAM wants it (Zhang et al. 2025, 2502.13533,
 * section 2): whole key-value groups with rows of q, k, v and columns of o, and channels with rows
 * of gate and up and columns of down. Of each layer those with the largest sums of squares over all
 * of these stay, or random ones; of equal ones the first.
 *
 * @param criterion {@link Criterion#MAGNITUDE} or {@link Criterion#RANDOM}
 * @param share of the groups and of the channels that goes, above 0 and below 1; at least one of
 *     each stays, and channels in multiples of 8 where there were such
 */
public record Shrinking(Criterion criterion, double share, long seed) {
  /** Keeps these streams apart from those that fill parameters. */
  private static final long STREAM = 0x736872696E6B0000L;

  private static final int CHANNELS_UNIT = 8;

  public Shrinking {
    if (!(share > 0 && share < 1)) {
      throw new PlanException("--sparsity: expected above 0 and below 1, found " + share);
    }
    if (criterion == Criterion.WANDA) {
      throw new PlanException("--method: expected magnitude or random with --structured");
    }
  }

  /** Chooses what stays; reads the maps of one layer after the other, one at a time. */
  public Kept choose(ModelFamily model, FirstValues weights, String base) {
    Kept.Sizes sizes = Kept.Sizes.of(model);
    Map<String, Param> params = new HashMap<>();
    model.parameters().forEach(param -> params.put(param.name(), param));
    Kept.Sizes left = left(sizes);
    List<Kept.Layer> layers = new ArrayList<>();
    for (int layer = 0; layer < model.layers(); layer++) {
      String name = "model.layers." + layer;
      double[] ofGroups = scores(sizes.kvHeads(), name + ".self_attn");
      double[] ofChannels = scores(sizes.mlpWidth(), name + ".mlp");
      if (criterion == Criterion.MAGNITUDE) {
        for (String map : List.of("q", "k", "v", "o")) {
          add(ofGroups, weights, matrix(params, name + ".self_attn." + map), map);
        }
        for (String map : List.of("gate", "up", "down")) {
          add(ofChannels, weights, matrix(params, name + ".mlp." + map), map);
        }
      }
      layers.add(
          new Kept.Layer(largest(ofGroups, left.kvHeads()), largest(ofChannels, left.mlpWidth())));
    }
    return new Kept(base, sizes, layers);
  }

  /** Widths that stay of those of a model. */
  private Kept.Sizes left(Kept.Sizes sizes) {
    int groups = Math.max(1, (int) Math.round((1 - share) * sizes.kvHeads()));
    int channels = Math.max(1, (int) Math.round((1 - share) * sizes.mlpWidth()));
    if (sizes.mlpWidth() % CHANNELS_UNIT == 0) {
      channels = (channels + CHANNELS_UNIT - 1) / CHANNELS_UNIT * CHANNELS_UNIT;
    }
    return new Kept.Sizes(groups * sizes.group(), groups, sizes.headDim(), channels);
  }

  /**
   * What {@link #choose} and {@link #config} would leave of a model, without its weights: which
   * groups and channels stay does not change how many do.
   *
   * @throws PlanException for a family whose heads cannot be taken out
   */
  public ModelFamily smaller(ModelFamily model) {
    byte[] text = model.huggingFaceConfig().getBytes(StandardCharsets.UTF_8);
    Json.Obj whole = JsonReader.read(text, "config.json").asObject("the model");
    return ModelFamily.ofHuggingFace(config(whole, left(Kept.Sizes.of(model))));
  }

  private static Param matrix(Map<String, Param> params, String map) {
    return Objects.requireNonNull(params.get(map + "_proj.weight"), map);
  }

  /** Random numbers, or zeros to add to. */
  private double[] scores(int count, String name) {
    long key = Initialization.key(seed ^ STREAM, name);
    double[] scores = new double[count];
    for (int i = 0; i < count && criterion == Criterion.RANDOM; i++) {
      scores[i] = Philox.uniform(key, i);
    }
    return scores;
  }

  /** Adds the squares of each unit's rows, or of its columns in o and down. */
  private static void add(double[] scores, FirstValues weights, Param matrix, String map) {
    boolean columns = map.equals("o") || map.equals("down");
    int width = matrix.shape().dim(1);
    int unit = matrix.shape().dim(columns ? 1 : 0) / scores.length;
    try (Span values = weights.whole(matrix)) {
      for (long i = 0; i < matrix.shape().elements(); i++) {
        float value = values.getFloat(i);
        int feature = (int) (columns ? i % width : i / width);
        scores[feature / unit] += (double) value * value;
      }
    }
  }

  private static List<Integer> largest(double[] scores, int count) {
    return IntStream.range(0, scores.length)
        .boxed()
        .sorted((a, b) -> Double.compare(scores[b], scores[a]))
        .limit(count)
        .sorted()
        .toList();
  }

  /** The config.json of the smaller model, all other members as they are. */
  public static Json.Obj config(Json.Obj whole, Kept kept) {
    return config(whole, kept.smaller());
  }

  private static Json.Obj config(Json.Obj whole, Kept.Sizes sizes) {
    Map<String, Json> members = new LinkedHashMap<>(whole.members());
    members.put("num_attention_heads", Json.of((long) sizes.heads()));
    members.put("num_key_value_heads", Json.of((long) sizes.kvHeads()));
    members.put("head_dim", Json.of((long) sizes.headDim()));
    members.put("intermediate_size", Json.of((long) sizes.mlpWidth()));
    Json.Building config = Json.object();
    members.forEach(config::put);
    return config.build();
  }

  /**
   * Weights of the smaller model; of each tensor the whole is in memory at a time.
   *
   * @param model the larger one
   */
  public static FirstValues values(ModelFamily model, FirstValues weights, Kept kept) {
    Map<String, Param> params = new HashMap<>();
    model.parameters().forEach(param -> params.put(param.name(), param));
    return (param, from, target) -> {
      Param whole = params.get(param.name());
      if (whole == null || whole.shape().equals(param.shape())) {
        weights.fill(param, from, target);
        return;
      }
      Places places = Places.of(kept, param.name(), whole);
      try (Span values = weights.whole(whole)) {
        for (long i = 0; i < target.bytes() / Float.BYTES; i++) {
          target.putFloat(i, values.getFloat(places.of(from + i)));
        }
      }
    };
  }

  /** Where elements of a smaller tensor stand in the whole one. */
  private record Places(int[] rows, int[] columns, int width) {
    static Places of(Kept kept, String name, Param whole) {
      String map = name.replaceFirst("\\.(weight|bias)$", "");
      int height = whole.shape().dim(0);
      int width = whole.shape().rank() == 1 ? 1 : whole.shape().dim(1);
      return new Places(
          kept.outputs(map).orElseGet(() -> IntStream.range(0, height).toArray()),
          width == 1
              ? new int[] {0}
              : kept.inputs(map).orElseGet(() -> IntStream.range(0, width).toArray()),
          width);
    }

    long of(long element) {
      int row = rows[(int) (element / columns.length)];
      return (long) row * width + columns[(int) (element % columns.length)];
    }
  }
}
