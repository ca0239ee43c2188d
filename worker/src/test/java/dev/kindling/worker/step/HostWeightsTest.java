package dev.kindling.worker.step;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.comm.loopback.LoopbackCommunicator;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.op.Upload;
import dev.kindling.kernels.graph.rewrite.Recompute;
import dev.kindling.optim.rule.Mezo;
import dev.kindling.optim.rule.Sgd;
import dev.kindling.worker.adapt.Lora;
import dev.kindling.worker.model.Full;
import dev.kindling.worker.model.Projection;
import dev.kindling.worker.shard.Sharding;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Where weights lie is a matter of storage: every sentence gives the same bits. */
class HostWeightsTest {
  private static final List<Mezo> RULES =
      List.of(
          new Mezo(1e-3, 1e-3, 1, 0, 0, false),
          new Mezo(1e-3, 1e-3, 3, 0.1, 0, false),
          new Mezo(1e-3, 1e-3, 1, 0, 0.7, false));

  private static MezoStep step(Mezo rule, Projection projection, boolean host, int sequences) {
    StepGraphs same = StepRank.graphs(sequences, new Sgd(1, 0, false, 0, 0), 8, 1, Sharding.none());
    MezoStep step = new MezoStep(same.model(), projection, rule, same.shape(), 1, StepRank.SEED);
    return step.with(
        step.shape().with(new MemorySaving(Recompute.Level.NONE, 2, host)).scoring(true));
  }

  private static StepRank rank(MezoStep step) {
    StepRank rank = new StepRank(step, LoopbackCommunicator.create(1).get(0));
    rank.program().dryRun();
    rank.fill();
    return rank;
  }

  private static long uploads(Graph graph) {
    return graph.nodes().stream().filter(node -> node.op() instanceof Upload).count();
  }

  @Test
  void everyMatrixOfALayerIsUploadedForEachPassAndNothingElse() {
    for (Mezo rule : RULES) {
      MezoStep step = step(rule, new Full(), true, 4);
      long matrices = step.finish().params().stream().filter(step::isHosted).count();
      assertThat(matrices).isEqualTo(7L * step.model().layers());
      assertThat(uploads(step.finish())).isEqualTo(matrices * rule.directions());
      assertThat(uploads(step.accumulate())).isEqualTo(matrices * rule.directions());
      assertThat(uploads(step.evaluate())).isEqualTo(matrices);
      assertThat(uploads(SequenceScore.sentence(step))).isEqualTo(matrices);
      assertThat(uploads(step.replay().orElseThrow())).isZero();
      assertThat(step(rule, new Full(), false, 4).programs()).allMatch(g -> uploads(g) == 0);
    }
    Mezo masters = new Mezo(1e-3, 1e-3, 1, 0, 0, true);
    assertThat(uploads(step(masters, new Full(), true, 4).finish())).isZero();
  }

  @Test
  void stepsLossesAndWeightsHaveTheSameBits() {
    for (Mezo rule : RULES) {
      expectSameBits(step(rule, new Full(), true, 4), step(rule, new Full(), false, 4));
    }
  }

  @Test
  void theFrozenBaseOfAnAdapterMayLieThereToo() {
    Mezo rule = RULES.get(0);
    Projection lora =
        new Lora(
                4,
                8,
                false,
                0,
                List.of("all-linear"),
                List.of(),
                Map.of(),
                Map.of(),
                List.of(),
                Optional.empty())
            .projection(step(rule, new Full(), true, 4).model(), StepRank.SEED);
    MezoStep step = step(rule, lora, true, 4);
    assertThat(uploads(step.finish())).isPositive();
    expectSameBits(step, step(rule, lora, false, 4));
  }

  private static void expectSameBits(MezoStep onHost, MezoStep onDevice) {
    try (StepRank host = rank(onHost);
        StepRank device = rank(onDevice)) {
      for (int step = 0; step < 3; step++) {
        assertThat(host.step(8 * step, 8)).isEqualTo(device.step(8 * step, 8));
      }
      assertThat(host.bits(Role.PARAMETER)).isEqualTo(device.bits(Role.PARAMETER));
      host.write(0);
      device.write(0);
      assertThat(host.program().evaluate()).isEqualTo(device.program().evaluate());
      host.program().sequence().fillForDryRun();
      device.program().sequence().fillForDryRun();
      assertThat(host.program().score()).isEqualTo(device.program().score());
    }
  }
}
