package dev.kindling.worker.adapt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.comm.loopback.LoopbackCommunicator;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.graph.op.CrossEntropy;
import dev.kindling.kernels.graph.rewrite.Recompute;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.shard.Held;
import dev.kindling.worker.step.MemorySaving;
import dev.kindling.worker.step.StepGraphs;
import dev.kindling.worker.step.StepOutcome;
import dev.kindling.worker.step.StepShape;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** What a training of an adapter must not notice. */
class AdapterInvariantsTest {
  private static final int STEPS = 5;

  static Stream<Arguments> combinations() {
    List<Adapter> adapters =
        List.of(
            AdaptedRank.lora(2, 4, 0.25, List.of()),
            AdaptedRank.dora(2, 4, 0.25),
            AdaptedRank.paca(3, 6),
            AdaptedRank.maskLora(2, 4, List.of()),
            AdaptedRank.nf4(AdaptedRank.lora(2, 4, 0.25, List.of())),
            AdaptedRank.nf4(AdaptedRank.paca(3, 6)));
    return AdaptedRank.families().stream()
        .flatMap(family -> adapters.stream().map(adapter -> Arguments.of(family, adapter)));
  }

  private static StepGraphs graphs(ModelFamily model, Adapter adapter, StepShape shape) {
    return new StepGraphs(
        model, adapter.projection(model, AdaptedRank.SEED), AdaptedRank.RULE, shape);
  }

  private static AdaptedRank rank(ModelFamily model, Adapter adapter, StepShape shape) {
    AdaptedRank rank = new AdaptedRank(graphs(model, adapter, shape));
    if (AdaptedRank.prunes(adapter)) {
      rank.prune(model);
    }
    return rank;
  }

  private static List<StepOutcome> trained(AdaptedRank rank, int evaluations) {
    List<StepOutcome> outcomes = new ArrayList<>();
    for (int step = 0; step < STEPS; step++) {
      for (int i = 0; i < evaluations; i++) {
        rank.evaluate(7 + i);
      }
      outcomes.add(rank.step(step));
    }
    return outcomes;
  }

  private static void assertSameBits(AdaptedRank found, AdaptedRank expected) {
    Map<String, float[]> own = found.params();
    expected
        .params()
        .forEach((name, values) -> assertThat(own.get(name)).as(name).isEqualTo(values));
  }

  /**
   * The published PaCA writes its columns through in every second forward pass, so that an
   * evaluation shifts which steps run on stale ones (peft.md 3.3).
   */
  @ParameterizedTest
  @MethodSource("combinations")
  void evaluationsBetweenStepsChangeNoBit(ModelFamily model, Adapter adapter) {
    try (AdaptedRank plain = rank(model, adapter, AdaptedRank.SHAPE);
        AdaptedRank asked = rank(model, adapter, AdaptedRank.SHAPE);
        AdaptedRank often = rank(model, adapter, AdaptedRank.SHAPE)) {
      List<StepOutcome> expected = trained(plain, 0);
      assertThat(trained(asked, 1)).as("seed %d", AdaptedRank.SEED).isEqualTo(expected);
      assertThat(trained(often, 2)).as("seed %d", AdaptedRank.SEED).isEqualTo(expected);
      assertSameBits(asked, plain);
      assertSameBits(often, plain);
    }
  }

  /** What is computed again meets the same dropout and the same columns. */
  @ParameterizedTest
  @MethodSource("combinations")
  void computingAgainForBackwardChangesNoBit(ModelFamily model, Adapter adapter) {
    try (AdaptedRank plain = rank(model, adapter, AdaptedRank.SHAPE)) {
      List<StepOutcome> expected = trained(plain, 0);
      for (Recompute.Level level : Recompute.Level.values()) {
        StepShape saving = AdaptedRank.SHAPE.with(new MemorySaving(level, 1));
        try (AdaptedRank again = rank(model, adapter, saving)) {
          assertThat(trained(again, 0))
              .as("%s, seed %d", level, AdaptedRank.SEED)
              .isEqualTo(expected);
          assertSameBits(again, plain);
        }
      }
    }
  }

  /** Batch {@code batch}, of which only the first targets count. */
  private static void write(AdaptedRank rank, int batch, int counted) {
    rank.write(batch);
    for (int i = counted; i < AdaptedRank.TOKENS; i++) {
      rank.program().inputs().targets().put(i, CrossEntropy.IGNORED);
    }
  }

  /** peft.md 1.6 and 8.7: the mean is over all targets of all ranks, not over the ranks' means. */
  @ParameterizedTest
  @MethodSource("combinations")
  void ranksThatCountDifferentNumbersTrainAsOneRank(ModelFamily model, Adapter adapter)
      throws Exception {
    int[] counted = {AdaptedRank.TOKENS, 3};
    List<AdaptedRank> world = new ArrayList<>();
    ExecutorService threads = Executors.newFixedThreadPool(2);
    try (AdaptedRank alone = rank(model, adapter, AdaptedRank.SHAPE)) {
      for (Communicator data : LoopbackCommunicator.create(2)) {
        world.add(new AdaptedRank(graphs(model, adapter, AdaptedRank.SHAPE), data));
      }
      List<Future<StepOutcome>> done = new ArrayList<>();
      for (int r = 0; r < 2; r++) {
        AdaptedRank own = world.get(r);
        int batch = r;
        done.add(
            threads.submit(
                () -> {
                  own.program().fill(AdaptedRank.SEED);
                  if (AdaptedRank.prunes(adapter)) {
                    own.prune(model);
                  }
                  write(own, batch, counted[batch]);
                  return own.program().finish(1, 1.0, false).copy();
                }));
      }
      write(alone, 0, counted[0]);
      alone.program().accumulate();
      write(alone, 1, counted[1]);
      StepOutcome expected = alone.program().finish(1, 1.0, false).copy();
      for (Future<StepOutcome> each : done) {
        StepOutcome found = each.get();
        assertThat(found.tokenCount()).isEqualTo(expected.tokenCount()).isEqualTo(15);
        assertThat(found.loss()).isCloseTo(expected.loss(), within(1e-5f));
        assertThat(found.gradNorm())
            .as("seed %d", AdaptedRank.SEED)
            .isCloseTo(expected.gradNorm(), within(1e-4f * expected.gradNorm()));
      }
      for (Held held : alone.program().trainedWeights()) {
        float[] first = world.get(0).read(held.name());
        assertThat(world.get(1).read(held.name())).as(held.name()).isEqualTo(first);
      }
    } finally {
      threads.shutdownNow();
      world.forEach(AdaptedRank::close);
    }
  }
}
