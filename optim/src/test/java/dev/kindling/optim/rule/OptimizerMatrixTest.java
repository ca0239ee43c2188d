package dev.kindling.optim.rule;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.kernels.graph.Demand;
import dev.kindling.kernels.graph.Init;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Shape;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/**
 * Trajectories of torch.optim over a wide and a tall matrix and a vector, in fp64, made by
 * worker/src/test/fixtures/make_optimizers.py.
 */
class OptimizerMatrixTest {
  private static final List<Param> PARAMS =
      List.of(
          new Param("wide.weight", Shape.of(4, 6), Demand.whole(), Init.normal(1), true),
          new Param("tall.weight", Shape.of(6, 4), Demand.whole(), Init.normal(1), true),
          new Param("gain", Shape.of(5), Demand.whole(), Init.normal(1), false));

  private static Trajectories torch = Trajectories.none();

  @BeforeAll
  static void readFixture() {
    torch = Trajectories.read("matrices.txt");
  }

  private static void follows(String name, UpdateRule rule) {
    Map<Integer, float[]> after = Objects.requireNonNull(torch.after().get(name));
    assertThat(after).containsOnlyKeys(1, 2, 10, 50, 100);
    try (UpdateBench bench = new UpdateBench(rule, PARAMS)) {
      bench.start(torch.start());
      for (int update = 1; update <= 100; update++) {
        double rate = torch.rates().get(update - 1);
        bench.update(torch.gradients().get(update - 1), torch.tokens(), update, rate);
        float[] expected = after.get(update);
        if (expected != null) {
          assertThat(bench.parameters())
              .as("%s after update %d", name, update)
              .containsExactly(expected, within(2e-5f));
        }
      }
    }
  }

  /** The rates of the file are a hundredth on average; Muon runs at a tenth of them. */
  private static Muon muon(double momentum, boolean nesterov, MuonScale scale) {
    AdamW rest = new AdamW(0.1, 0.9, 0.95, 1e-8, 0.0, 0.0);
    return new Muon(0.1, momentum, nesterov, 5, scale, 0.1, 0.0, Optional.of(rest));
  }

  @Test
  void muonFollowsTorch() {
    follows("muon-original", muon(0.95, true, MuonScale.ORIGINAL));
    follows("muon-match", muon(0.9, true, MuonScale.MATCH_RMS));
    follows("muon-plain", muon(0.95, false, MuonScale.ORIGINAL));
  }

  @Test
  void adafactorFollowsTorch() {
    follows("adafactor", new Adafactor(1, 0.8, 1e-30, 1e-3, 1, true, true, 0.05, 0));
    follows("adafactor-relative", new Adafactor(30, 0.8, 1e-30, 1e-3, 1, true, true, 0, 0));
  }

  @Test
  void sgdFollowsTorch() {
    follows("sgd", new Sgd(1, 0.95, true, 0.02, 0));
  }
}
