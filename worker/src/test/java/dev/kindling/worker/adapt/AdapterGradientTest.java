package dev.kindling.worker.adapt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.kernels.graph.Columns;
import dev.kindling.kernels.graph.None;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.op.WeightLayout;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.model.TrainedColumns;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Gradients of whole models with adapters against differences of their loss. */
class AdapterGradientTest {
  private static final float STEP = 4e-3f;

  static Stream<Arguments> combinations() {
    List<Adapter> adapters =
        List.of(
            AdaptedRank.lora(2, 3, 0, List.of()),
            AdaptedRank.lora(3, 2, 0.25, List.of(".*(ln_1|input_layernorm)")),
            AdaptedRank.dora(2, 2, 0),
            AdaptedRank.dora(2, 2, 0.25),
            AdaptedRank.paca(3, 5),
            AdaptedRank.maskLora(2, 3, List.of()),
            AdaptedRank.perp(2, 0, 3),
            AdaptedRank.perp(0, 0, 3),
            AdaptedRank.nf4(AdaptedRank.lora(2, 4, 0.25, List.of())),
            AdaptedRank.nf4(AdaptedRank.dora(2, 2, 0)),
            AdaptedRank.nf4(AdaptedRank.paca(3, 5)));
    return AdaptedRank.families().stream()
        .flatMap(family -> adapters.stream().map(adapter -> Arguments.of(family, adapter)));
  }

  @ParameterizedTest
  @MethodSource("combinations")
  void everyTrainedTensorHasTheSlopeOfTheLoss(ModelFamily family, Adapter adapter) {
    try (AdaptedRank rank = new AdaptedRank(family, adapter)) {
      for (Param param : rank.program().params()) {
        if (!(param.demand() instanceof None)) {
          rank.stir(param, 0.2);
        }
      }
      rank.accumulate(0);
      List<Param> checked = new ArrayList<>();
      for (Param param : rank.program().params()) {
        boolean packed = !rank.program().projection().packed().isEmpty();
        boolean delta = !packed && param.name().endsWith(PartialWeight.DELTA);
        if (!(param.demand() instanceof None) && !delta) {
          slope(rank, adapter, param);
          checked.add(param);
        }
      }
      assertThat(checked).as("seed %d", AdaptedRank.SEED).isNotEmpty();
    }
  }

  private static void slope(AdaptedRank rank, Adapter adapter, Param param) {
    rank.accumulate(0);
    float[] gradient = rank.read("grad/" + param.name());
    float[] start = rank.read(param.name());
    float[] direction = new float[start.length];
    int[] places = places(rank, param);
    assertThat(places).as(param.name()).hasSameSizeAs(gradient);
    SplittableRandom random = new SplittableRandom(AdaptedRank.SEED);
    double expected = 0;
    for (int i = 0; i < gradient.length; i++) {
      direction[places[i]] = random.nextBoolean() ? 1 : -1;
      expected += (double) direction[places[i]] * gradient[i];
    }
    double up = loss(rank, adapter, param, start, direction, STEP);
    double down = loss(rank, adapter, param, start, direction, -STEP);
    assertThat((up - down) / (2 * STEP))
        .as("%s seed %d", param.name(), AdaptedRank.SEED)
        .isCloseTo(expected, within(0.02 + 0.02 * Math.abs(expected)));
  }

  /** Where in the parameter each element of its gradient stands. */
  private static int[] places(AdaptedRank rank, Param param) {
    int[] places = new int[(int) param.shape().elements()];
    for (int i = 0; i < places.length; i++) {
      places[i] = i;
    }
    if (!(param.demand() instanceof Columns columns)) {
      return places;
    }
    TrainedColumns trained = rank.program().projection().columns(param).orElseThrow();
    boolean outIn = trained.layout() == WeightLayout.OUT_IN;
    int width = param.shape().dim(1);
    int narrow = outIn ? columns.indices().size() : width;
    int[] some = new int[(int) trained.delta().shape().elements()];
    for (int i = 0; i < some.length; i++) {
      some[i] =
          outIn
              ? i / narrow * width + columns.indices().get(i % narrow)
              : columns.indices().get(i / narrow) * width + i % narrow;
    }
    return some;
  }

  private static double loss(
      AdaptedRank rank,
      Adapter adapter,
      Param param,
      float[] start,
      float[] direction,
      float factor) {
    float[] moved = start.clone();
    for (int i = 0; i < moved.length; i++) {
      moved[i] += factor * direction[i];
    }
    Map<String, float[]> lengths =
        adapter instanceof Dora ? KeptNorms.before(rank, param) : Map.of();
    rank.put(param.name(), moved);
    lengths = adapter instanceof Dora ? KeptNorms.after(rank, param, lengths) : lengths;
    double loss = rank.accumulate(0);
    lengths.forEach(rank::put);
    rank.put(param.name(), start);
    return loss;
  }
}
