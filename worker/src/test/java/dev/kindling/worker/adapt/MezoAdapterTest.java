package dev.kindling.worker.adapt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.kernels.graph.None;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.random.HalfwordNormal;
import dev.kindling.optim.rule.Mezo;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.step.MezoStep;
import dev.kindling.worker.step.StepOutcome;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Zeroth-order steps of tiny models with adapters. */
class MezoAdapterTest {
  private static final double LR = 1e-2;
  private static final double EPS = 1e-2;
  private static final Mezo RULE = new Mezo(LR, EPS, 1, 0, 0, true);

  private static AdaptedRank rank(ModelFamily model, Adapter adapter) {
    AdaptedRank rank =
        new AdaptedRank(
            new MezoStep(
                model,
                adapter.projection(model, AdaptedRank.SEED),
                RULE,
                AdaptedRank.SHAPE,
                1,
                AdaptedRank.SEED));
    if (AdaptedRank.prunes(adapter)) {
      rank.prune(model);
    }
    return rank;
  }

  static Stream<Arguments> trained() {
    List<Adapter> adapters =
        List.of(
            new Frozen(List.of(".*(norm|ln_1|ln_2|layernorm)")),
            AdaptedRank.lora(2, 4, 0, List.of()),
            AdaptedRank.lora(2, 4, 0, List.of(".*(ln_f|model.norm)")),
            AdaptedRank.dora(2, 4, 0),
            AdaptedRank.maskLora(2, 4, List.of()),
            AdaptedRank.nf4(AdaptedRank.lora(2, 4, 0, List.of())),
            AdaptedRank.nf4(AdaptedRank.paca(3, 6)));
    return AdaptedRank.families().stream()
        .flatMap(family -> adapters.stream().map(adapter -> Arguments.of(family, adapter)));
  }

  /** Factors away from zero, so that both of a branch count. */
  private static void stir(AdaptedRank rank) {
    for (Param param : rank.program().params()) {
      if (param.name().endsWith(Branch.UP)) {
        rank.stir(param, 0.3);
      }
    }
  }

  private static float[] normals(Param param) {
    float[] z = new float[(int) param.shape().elements()];
    float[] eight = new float[8];
    long key = HalfwordNormal.key(AdaptedRank.SEED, param.name());
    for (int from = 0; from < z.length; from += 8) {
      HalfwordNormal.block(new int[4], key, from / 8, 1, 0, eight);
      System.arraycopy(eight, 0, z, from, Math.min(8, z.length - from));
    }
    return z;
  }

  /** Mean loss with all that is trained moved along the direction of step 1. */
  private static double moved(AdaptedRank rank, Map<String, float[]> at, double factor) {
    for (Param param : rank.program().params()) {
      if (!(param.demand() instanceof None)) {
        float[] values = Objects.requireNonNull(at.get(param.name())).clone();
        float[] z = normals(param);
        for (int i = 0; i < z.length; i++) {
          values[i] += (float) (factor * z[i]);
        }
        rank.put(param.name(), values);
      }
    }
    return (double) rank.evaluate(0) / AdaptedRank.TOKENS;
  }

  @ParameterizedTest
  @MethodSource("trained")
  void aStepMovesWhatIsTrainedAloneAlongTheSlopeBetweenBothPoints(
      ModelFamily model, Adapter adapter) {
    try (AdaptedRank rank = rank(model, adapter);
        AdaptedRank twin = new AdaptedRank(model, adapter)) {
      stir(rank);
      stir(twin);
      Map<String, float[]> before = rank.params();
      double slope = (moved(twin, before, EPS) - moved(twin, before, -EPS)) / (2 * EPS);
      StepOutcome outcome = rank.step(0);
      assertThat((double) outcome.projected(0)).isCloseTo(slope, within(3e-4));
      for (Param param : rank.program().params()) {
        float[] old = Objects.requireNonNull(before.get(param.name()));
        float[] now = rank.read(param.name());
        if (param.demand() instanceof None) {
          assertThat(now).as(param.name()).isEqualTo(old);
          continue;
        }
        float[] z = normals(param);
        for (int i = 0; i < now.length; i++) {
          double expected = old[i] - LR * outcome.projected(0) * z[i];
          assertThat((double) now[i]).as(param.name()).isCloseTo(expected, within(5e-7));
        }
      }
    }
  }

  @Test
  void trainedColumnsAreRefused() {
    ModelFamily model = AdaptedRank.families().get(0);
    assertThatThrownBy(() -> rank(model, AdaptedRank.paca(3, 6)))
        .isInstanceOf(PlanException.class)
        .hasMessageContaining("mezo moves whole parameters");
  }
}
