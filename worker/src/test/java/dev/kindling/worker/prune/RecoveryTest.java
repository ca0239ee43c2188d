package dev.kindling.worker.prune;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.CpuOptions;
import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.backend.Program;
import dev.kindling.kernels.graph.Demand;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Init;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.memory.Span;
import dev.kindling.kernels.random.Initialization;
import dev.kindling.worker.adapt.AdaptedRank;
import dev.kindling.worker.adapt.DenseReference;
import dev.kindling.worker.adapt.Full;
import dev.kindling.worker.adapt.Lora;
import dev.kindling.worker.adapt.MaskLora;
import dev.kindling.worker.model.FirstValues;
import dev.kindling.worker.model.Llama;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.model.ModelInputs;
import dev.kindling.worker.model.Projection;
import dev.kindling.worker.model.Qwen2;
import dev.kindling.worker.model.Qwen3;
import dev.kindling.worker.model.Weight;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** LoRAM as a whole: training of a smaller model and what it is worth in the larger one. */
class RecoveryTest {
  private static final int WIDTH = 16;
  private static final int HEAD = 4;
  private static final int CHANNELS = 24;
  private static final int RANK = 2;
  private static final double SCALE = 3 / Math.sqrt(RANK);
  private static final Lora LORA = AdaptedRank.lora(RANK, 3, 0, List.of());
  private static final MaskLora HELD = AdaptedRank.maskLora(RANK, 3, List.of());

  /** Of the larger model; biases too, which would begin at zero. */
  private static final FirstValues WEIGHTS =
      (param, from, target) -> {
        Init init = param.name().endsWith("bias") ? Init.normal(0.3) : param.init();
        Param drawn = new Param(param.name(), param.shape(), Demand.none(), init, param.decay());
        Initialization.fill(drawn, AdaptedRank.SEED, from, target);
      };

  /** Eight query heads, two to a key-value head; with biases; with norms of heads. */
  static List<ModelFamily> families() {
    Optional<Integer> none = Optional.empty();
    Optional<Integer> kv = Optional.of(4);
    Optional<Integer> head = Optional.of(HEAD);
    Optional<Integer> mlp = Optional.of(CHANNELS);
    Optional<Integer> rows = Optional.of(AdaptedRank.VOCABULARY);
    int context = AdaptedRank.SEQUENCE;
    return List.of(
        new Llama(
            WIDTH, 2, 8, kv, head, mlp, rows, context, false, 0.3, 1e4, Optional.empty(), 1e-5),
        new Qwen2(
            WIDTH,
            2,
            8,
            kv,
            head,
            mlp,
            rows,
            context,
            true,
            0.3,
            1e4,
            Optional.empty(),
            1e-5,
            none),
        new Qwen3(
            WIDTH,
            2,
            8,
            kv,
            head,
            mlp,
            rows,
            context,
            false,
            0.3,
            1e4,
            Optional.empty(),
            1e-5,
            none));
  }

  /** Rows and columns of a tensor of the larger model that the smaller one has. */
  private record Places(Set<Integer> rows, Set<Integer> columns, int height, int width) {

    static Places of(Kept kept, String name, int height, int width) {
      Set<Integer> rows = features(kept, name, "q k v gate up", "lora_A", height);
      Set<Integer> columns = features(kept, name, "o down", "lora_B", width);
      return new Places(rows, columns, height, width);
    }

    /** Zhang et al. 2025, section 2: whole groups of heads, and channels, by layer. */
    private static Set<Integer> features(
        Kept kept, String name, String maps, String without, int all) {
      Set<Integer> places = new HashSet<>();
      String[] parts = name.split("\\.", -1);
      boolean map = parts.length > 4 && parts[4].endsWith("_proj");
      String word = map ? parts[4].replace("_proj", "") : "";
      boolean some = map && List.of(maps.split(" ", -1)).contains(word) && !name.contains(without);
      for (int i = 0; i < all; i++) {
        if (some) {
          Kept.Layer layer = kept.layers().get(Integer.parseInt(parts[2]));
          boolean mlp = parts[3].equals("mlp");
          int group = word.equals("q") || word.equals("o") ? i / HEAD / 2 : i / HEAD;
          if (!(mlp ? layer.channels().contains(i) : layer.groups().contains(group))) {
            continue;
          }
        }
        places.add(i);
      }
      return places;
    }

    boolean has(int i) {
      return rows.contains(i / width) && columns.contains(i % width);
    }

    /** Elements of a smaller tensor where they stand, zeros elsewhere. */
    float[] spread(float[] small) {
      float[] large = new float[height * width];
      int at = 0;
      for (int i = 0; i < large.length; i++) {
        large[i] = has(i) ? small[at++] : 0;
      }
      assertThat(at).isEqualTo(small.length);
      return large;
    }
  }

  private static Places places(Kept kept, Param param) {
    int width = param.shape().rank() == 1 ? 1 : param.shape().dim(1);
    return Places.of(kept, param.name(), param.shape().dim(0), width);
  }

  private static boolean isFactor(Param param) {
    return param.name().contains(".lora_");
  }

  private static float[] read(FirstValues values, Param param) {
    try (Span span = values.whole(param)) {
      return span.toFloats();
    }
  }

  /** The larger model with zeros where the smaller one has nothing, and its factors spread. */
  private static AdaptedRank heldOut(ModelFamily large, Kept kept, AdaptedRank small) {
    AdaptedRank held = new AdaptedRank(large, HELD);
    for (Param param : held.program().params()) {
      Places places = places(kept, param);
      if (isFactor(param)) {
        held.put(param.name(), places.spread(small.read(param.name())));
        continue;
      }
      float[] values = read(WEIGHTS, param);
      for (int i = 0; i < values.length; i++) {
        values[i] = places.has(i) ? values[i] : 0;
      }
      held.put(param.name(), values);
    }
    return held;
  }

  @ParameterizedTest
  @MethodSource("families")
  void aHundredStepsOfTheSmallerModelAreThoseOfTheLargerOneWithTheRestHeldOut(ModelFamily large) {
    Shrinking shrinking = new Shrinking(Criterion.RANDOM, 0.5, 3);
    Kept kept = shrinking.choose(large, WEIGHTS, "base");
    try (AdaptedRank small = new AdaptedRank(shrinking.smaller(large), LORA)) {
      small.program().fill(Shrinking.values(large, WEIGHTS, kept));
      try (AdaptedRank held = heldOut(large, kept, small);
          DenseReference reference = new DenseReference(large, HELD, RANK, SCALE, held)) {
        for (int step = 0; step < 100; step++) {
          double expected = reference.step(step % 7);
          assertThat((double) small.step(step % 7).lossSum())
              .as("step %d seed %d", step, AdaptedRank.SEED)
              .isCloseTo(expected, within(2e-4 * Math.max(1, expected)));
        }
        for (Param param : held.program().params()) {
          if (isFactor(param)) {
            float[] found = places(kept, param).spread(small.read(param.name()));
            double[] expected = reference.trained().get(param.name());
            close(param.name(), found, Objects.requireNonNull(expected));
          }
        }
        recovered(large, kept, small, reference.trained());
      }
    }
  }

  private static void close(String name, float[] found, double[] expected) {
    double error = 0;
    double size = 0;
    for (int i = 0; i < expected.length; i++) {
      error += Math.pow(found[i] - expected[i], 2);
      size += expected[i] * expected[i];
    }
    assertThat(Math.sqrt(error / size)).as(name).isLessThan(2e-3);
  }

  /** Of the larger model with the factors beside it, merged, and merged from the reference. */
  private static void recovered(
      ModelFamily large, Kept kept, AdaptedRank small, Map<String, double[]> reference) {
    List<Param> factors = small.program().params().stream().filter(RecoveryTest::isFactor).toList();
    Recovery recovery = new Recovery(kept);
    FirstValues trained =
        recovery.values(
            factors,
            (param, from, target) -> {
              float[] values = small.read(param.name());
              for (int i = 0; i < target.bytes() / Float.BYTES; i++) {
                target.putFloat(i, values[(int) from + i]);
              }
            });
    Map<String, Param> whole = new HashMap<>();
    factors.forEach(param -> whole.put(param.name(), recovery.whole(param)));
    FirstValues beside =
        (param, from, target) ->
            (isFactor(param) ? trained : WEIGHTS)
                .fill(whole.getOrDefault(param.name(), param), from, target);
    Projection lora = LORA.projection(large, 0);
    Projection full = new Full().projection(large, 0);
    float[] found = logits(large, lora, beside);
    float[] plain = logits(large, full, WEIGHTS);
    assertThat(distance(found, plain)).isGreaterThan(0.1);
    assertThat(distance(found, logits(large, full, lora.merged(WEIGHTS, beside)))).isLessThan(2e-5);
    assertThat(distance(found, logits(large, full, merged(large, reference)))).isLessThan(5e-3);
  }

  /** W + s B A of the whole matrices, with the factors of the reference. */
  private static FirstValues merged(ModelFamily large, Map<String, double[]> factors) {
    Map<String, Weight> maps = new HashMap<>();
    large.maps().forEach(map -> maps.put(map.name() + ".weight", map));
    return (param, from, target) -> {
      WEIGHTS.fill(param, from, target);
      Weight map = maps.get(param.name());
      double[] a = map == null ? null : factors.get(map.name() + ".lora_A.weight");
      double[] b = map == null ? null : factors.get(map.name() + ".lora_B.weight");
      if (map == null || a == null || b == null) {
        return;
      }
      for (int i = 0; i < target.bytes() / Float.BYTES; i++) {
        int at = (int) from + i;
        double sum = target.getFloat(i);
        for (int k = 0; k < RANK; k++) {
          sum += SCALE * b[at / map.in() * RANK + k] * a[k * map.in() + at % map.in()];
        }
        target.putFloat(i, (float) sum);
      }
    };
  }

  private static double distance(float[] a, float[] b) {
    double largest = 0;
    for (int i = 0; i < a.length; i++) {
      largest = Math.max(largest, Math.abs((double) a[i] - b[i]));
    }
    return largest;
  }

  private static float[] logits(ModelFamily model, Projection projection, FirstValues values) {
    GraphBuilder b = new GraphBuilder();
    projection.declare(b, model);
    ModelInputs in = ModelInputs.declare(b, AdaptedRank.TOKENS, AdaptedRank.SEQUENCE, false);
    b.output("logits", model.logits(b, in, projection));
    Graph graph = b.build();
    try (Backend backend = Backend.cpu(new CpuOptions(1, MatmulKind.JAVA));
        Memory memory = backend.allocate(graph.variables());
        Program program = backend.compile(graph, memory, Map.of())) {
      for (Param param : graph.params()) {
        values.fill(param, 0, memory.span(param.name()));
      }
      for (int i = 0; i < AdaptedRank.TOKENS; i++) {
        memory.span(ModelInputs.TOKENS).putInt(i, i * 5 % AdaptedRank.VOCABULARY);
        memory.span(ModelInputs.POSITIONS).putInt(i, i % AdaptedRank.SEQUENCE);
      }
      program.run();
      return memory.span("logits").toFloats();
    }
  }
}
