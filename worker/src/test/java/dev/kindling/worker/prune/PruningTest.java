package dev.kindling.worker.prune;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.op.WeightLayout;
import dev.kindling.kernels.memory.Span;
import dev.kindling.kernels.random.Initialization;
import dev.kindling.worker.model.FirstValues;
import dev.kindling.worker.model.Gpt2;
import dev.kindling.worker.model.Llama;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.model.Weight;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

class PruningTest {
  private static final FirstValues DENSE =
      (param, from, target) -> Initialization.fill(param, 11, from, target);

  /** Both layouts; grouped queries, a head of its own. */
  private static final List<ModelFamily> MODELS =
      List.of(
          new Gpt2(16, 2, 2, Optional.empty(), Optional.of(11), 8, true, 0.4, 1e-5),
          new Llama(
              16,
              2,
              4,
              Optional.of(2),
              Optional.empty(),
              Optional.of(24),
              Optional.of(11),
              8,
              false,
              0.4,
              1e4,
              1e-5));

  private static float[] read(FirstValues values, Param param) {
    try (Span span = Span.allocate(param.type().bytes())) {
      values.fill(param, 0, span);
      return span.toFloats();
    }
  }

  private static Pruning pruning(Criterion criterion, double sparsity, String pattern) {
    Optional<MaskPattern> mask =
        pattern.isEmpty() ? Optional.empty() : Optional.of(MaskPattern.of(pattern));
    return new Pruning(criterion, sparsity, mask, norms(), 3);
  }

  private static Map<String, double[]> norms() {
    Map<String, double[]> norms = new HashMap<>();
    for (ModelFamily model : MODELS) {
      for (Weight map : model.maps()) {
        double[] each = new double[map.in()];
        Arrays.setAll(each, i -> 0.25 + (i * 7 + map.name().length()) % 5);
        norms.put(map.name(), each);
      }
    }
    return norms;
  }

  /** Rows of outputs, whatever the layout. */
  private static float[][] rows(Weight map, float[] matrix) {
    float[][] rows = new float[map.out()][map.in()];
    for (int i = 0; i < matrix.length; i++) {
      boolean outIn = map.layout() == WeightLayout.OUT_IN;
      int out = outIn ? i / map.in() : i % map.out();
      int in = outIn ? i % map.in() : i / map.out();
      rows[out][in] = matrix[i];
    }
    return rows;
  }

  static Stream<Arguments> sparsities() {
    return MODELS.stream()
        .flatMap(
            model ->
                Stream.of(0.1, 0.5, 0.73)
                    .flatMap(
                        share ->
                            Arrays.stream(Criterion.values())
                                .map(criterion -> Arguments.of(model, criterion, share))));
  }

  @ParameterizedTest
  @MethodSource("sparsities")
  void theShareIsExactAndEverythingElseKeepsItsBits(
      ModelFamily model, Criterion criterion, double sparsity) {
    Pruning pruning = pruning(criterion, sparsity, "");
    FirstValues pruned = pruning.of(model, DENSE);
    Map<String, Weight> maps = pruning.maps(model);
    assertThat(maps).hasSize(model.layers() * (model instanceof Gpt2 ? 4 : 7));
    for (Param param : model.parameters()) {
      float[] before = read(DENSE, param);
      float[] after = read(pruned, param);
      Weight map = maps.get(param.name());
      if (map == null) {
        assertThat(after).as(param.name()).isEqualTo(before);
        continue;
      }
      long zeros = 0;
      for (int i = 0; i < after.length; i++) {
        zeros += after[i] == 0 ? 1 : 0;
        assertThat(after[i]).isIn(before[i], 0f);
      }
      long expected =
          criterion == Criterion.WANDA
              ? map.out() * Math.round(sparsity * map.in())
              : Math.round(sparsity * after.length);
      assertThat(zeros).as(param.name()).isEqualTo(expected);
      assertThat(read(pruning.of(model, DENSE), param)).isEqualTo(after);
    }
  }

  @Test
  void magnitudeKeepsWhatIsLarger() {
    for (ModelFamily model : MODELS) {
      Pruning pruning = pruning(Criterion.MAGNITUDE, 0.6, "");
      for (Weight map : pruning.maps(model).values()) {
        float[] before = read(DENSE, map.matrix());
        float[] after = read(pruning.of(model, DENSE), map.matrix());
        float gone = 0;
        float least = Float.MAX_VALUE;
        for (int i = 0; i < after.length; i++) {
          if (after[i] == 0) {
            gone = Math.max(gone, Math.abs(before[i]));
          } else {
            least = Math.min(least, Math.abs(after[i]));
          }
        }
        assertThat(gone).as(map.name()).isLessThanOrEqualTo(least);
      }
    }
  }

  @Test
  void ofEqualWeightsTheFirstGo() {
    ModelFamily model = MODELS.get(1);
    FirstValues ones =
        (param, from, target) -> {
          for (long i = 0; i < target.bytes() / Float.BYTES; i++) {
            target.putFloat(i, (from + i) % 2 == 0 ? 1f : -1f);
          }
        };
    Weight map = model.maps().get(0);
    float[] after = read(pruning(Criterion.MAGNITUDE, 0.25, "").of(model, ones), map.matrix());
    for (int i = 0; i < after.length; i++) {
      assertThat(after[i] == 0).isEqualTo(i < after.length / 4);
    }
  }

  @ParameterizedTest
  @EnumSource(Criterion.class)
  void ofEveryRunOfAPatternTheSmallestGo(Criterion criterion) {
    for (ModelFamily model : MODELS) {
      for (String word : List.of("2:4", "4:8", "1:4")) {
        MaskPattern pattern = MaskPattern.of(word);
        Pruning pruning = pruning(criterion, pattern.sparsity(), word);
        FirstValues values = pruning.of(model, DENSE);
        for (Weight map : pruning.maps(model).values()) {
          float[][] after = rows(map, read(values, map.matrix()));
          float[][] before = rows(map, read(DENSE, map.matrix()));
          double[] norm = Objects.requireNonNull(norms().get(map.name()));
          for (int out = 0; out < map.out(); out++) {
            for (int from = 0; from < map.in(); from += pattern.of()) {
              run(criterion, pattern, from, before[out], after[out], norm);
            }
          }
        }
      }
    }
  }

  private static void run(
      Criterion criterion,
      MaskPattern pattern,
      int from,
      float[] before,
      float[] after,
      double[] norm) {
    List<Double> kept = new ArrayList<>();
    List<Double> gone = new ArrayList<>();
    for (int in = from; in < from + pattern.of(); in++) {
      double score = Math.abs(before[in]) * (criterion == Criterion.WANDA ? norm[in] : 1);
      (after[in] == 0 ? gone : kept).add(score);
    }
    assertThat(kept).hasSize(pattern.kept());
    if (criterion != Criterion.RANDOM) {
      double least = kept.stream().mapToDouble(x -> x).min().orElseThrow();
      assertThat(gone).allMatch(score -> score <= least * (1 + 1e-6));
    }
  }

  /** W = [[4 1 2 3] [1 1 1 8] ...], norms [1 8 4 1]: rows are compared by themselves. */
  @Test
  void wandaIsWhatOneComputesByHand() {
    Weight map = new Weight("m", 4, 2, WeightLayout.OUT_IN, false, 1);
    float[] w = {4, -1, 2, -3, -9, 1, 2, 8};
    // Scores 4 8 8 3 and 9 8 8 8; two of each row go, of equal ones the first.
    float[] expected = {0, -1, 2, 0, -9, 0, 0, 8};
    try (Span matrix = Span.allocate(w.length * (long) Float.BYTES)) {
      for (int i = 0; i < w.length; i++) {
        matrix.putFloat(i, w[i]);
      }
      Map<String, double[]> norms = Map.of("m", new double[] {1, 8, 4, 1});
      new Pruning(Criterion.WANDA, 0.5, Optional.empty(), norms, 0).apply(map, matrix);
      assertThat(matrix.toFloats()).containsExactly(expected);
    }
  }

  @Test
  void whatDoesNotFitIsRefused() {
    for (double wrong : new double[] {0, 1, -0.1, 1.5, Double.NaN}) {
      assertThatThrownBy(() -> pruning(Criterion.MAGNITUDE, wrong, ""))
          .isInstanceOf(PlanException.class)
          .hasMessageContaining("--sparsity: expected above 0 and below 1");
    }
    assertThatThrownBy(() -> pruning(Criterion.MAGNITUDE, 0.6, "2:4"))
        .hasMessageContaining("--sparsity: expected 0.5 with --pattern 2:4")
        .hasMessageContaining("found 0.6");
    for (String wrong : List.of("4:4", "0:4", "2", "a:b", "5:4")) {
      assertThatThrownBy(() -> MaskPattern.of(wrong)).hasMessageContaining("--pattern");
    }
    assertThatThrownBy(() -> pruning(Criterion.MAGNITUDE, 2.0 / 3, "1:3").maps(MODELS.get(1)))
        .hasMessageContaining("--pattern: expected a divisor of the 16 input features of")
        .hasMessageContaining("found 1:3");
    Pruning blind = new Pruning(Criterion.WANDA, 0.5, Optional.empty(), Map.of(), 0);
    assertThatThrownBy(() -> blind.maps(MODELS.get(0)))
        .hasMessageContaining("expected norms of its inputs, found none");
  }
}
