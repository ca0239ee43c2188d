package dev.kindling.worker.adapt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.memory.MemoryPlan;
import dev.kindling.optim.rule.AdamW;
import dev.kindling.worker.model.Llama;
import dev.kindling.worker.step.StepGraphs;
import dev.kindling.worker.step.StepShape;
import dev.kindling.worker.step.StepStages;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** What adapters save, by the planner's count. */
class AdapterMemoryTest {
  private static final int TOKENS = 512;
  private static final int WIDTH = 256;
  private static final int HIDDEN = 704;
  private static final int LAYERS = 12;

  private static StepGraphs graphs(Adapter adapter) {
    Optional<Integer> none = Optional.empty();
    Llama model =
        new Llama(
            WIDTH,
            LAYERS,
            4,
            none,
            none,
            Optional.of(HIDDEN),
            Optional.of(64),
            TOKENS,
            false,
            0.02,
            1e4,
            1e-5);
    AdamW rule = new AdamW(1e-3, 0.9, 0.95, 1e-8, 0.1, 1);
    StepShape shape = new StepShape(TOKENS, TOKENS, false, 1);
    return new StepGraphs(model, adapter.projection(model, 1), rule, shape);
  }

  private static long activations(Adapter adapter) {
    Graph graph = graphs(adapter).accumulate();
    return MemoryPlan.of(graph).totalBytes();
  }

  @Test
  void pacaKeepsItsColumnsOfActivationsAndLoraAllOfThem() {
    long full = activations(new Full());
    long lora = activations(AdaptedRank.lora(8, 8, 0, List.of()));
    long paca = activations(AdaptedRank.paca(16, 8));
    assertThat(paca).isLessThan(lora).isLessThan(full);
    // peft.md 3.6: inputs of attention and MLP and of the last product are kept for A alone.
    long perToken = 2 * WIDTH + HIDDEN + 7 * 8 - 7 * 16;
    double expected = (double) perToken * TOKENS * LAYERS * Float.BYTES;
    assertThat((double) (lora - paca)).isCloseTo(expected, within(0.1 * expected));
  }

  /** PERP's own statement of the cost: one product of the size of a weight, not one a layer. */
  @Test
  void maskedWeightsAreInMemoryOneAtATime() {
    long lora = activations(AdaptedRank.lora(8, 8, 0, List.of()));
    long masked = activations(AdaptedRank.maskLora(8, 8, List.of()));
    long largest = (long) HIDDEN * WIDTH * Float.BYTES;
    assertThat(masked - lora).isLessThanOrEqualTo(2 * largest);
  }

  @Test
  void packedMatricesTakeWhatTheFormulaSaysAndNothingElse() {
    for (Adapter plain : List.of(AdaptedRank.lora(8, 8, 0, List.of()), AdaptedRank.paca(16, 8))) {
      Map<Role, Long> bytes = StepStages.of(graphs(AdaptedRank.nf4(plain)), 1).variableBytes();
      long expected = 0;
      for (long matrix : new long[] {(long) WIDTH * WIDTH, (long) WIDTH * HIDDEN}) {
        long blocks = matrix / 64;
        long each = matrix / 2 + blocks + 4 + 4 * ((blocks + 255) / 256);
        expected += LAYERS * each * (matrix == WIDTH * WIDTH ? 4 : 3);
      }
      assertThat(bytes.get(Role.FROZEN)).isEqualTo(expected);
      long hidden = (long) LAYERS * (4 * WIDTH * WIDTH + 3 * WIDTH * HIDDEN) * Float.BYTES;
      long before = StepStages.of(graphs(plain), 1).variableBytes().get(Role.PARAMETER);
      assertThat(before - bytes.get(Role.PARAMETER)).isEqualTo(hidden);
    }
  }

  @Test
  void frozenWeightsHaveNeitherGradientsNorState() {
    for (Adapter adapter : List.of(AdaptedRank.lora(8, 8, 0, List.of()), AdaptedRank.paca(16, 8))) {
      StepStages stages = StepStages.of(graphs(adapter), 1);
      Map<Role, Long> bytes = stages.variableBytes();
      long trained = stages.parameters() * Float.BYTES;
      assertThat(bytes.get(Role.STATE)).isEqualTo(2 * trained);
      // And loss sum, token count and stop votes.
      assertThat(bytes.get(Role.GRADIENT)).isEqualTo(trained + 3 * Float.BYTES);
    }
  }
}
