package dev.kindling.optim.rule;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/**
 * Trajectories of torch.optim with torch.nn.utils.clip_grad_norm_ (fp64), made by
 * worker/src/test/fixtures/make_fixtures.py. Floats are stored as the hexadecimal digits of their
 * bits.
 */
class OptimizerFixtureTest {
  private static Trajectories torch = Trajectories.none();

  @BeforeAll
  static void readFixture() {
    torch = Trajectories.read("trajectories.txt");
  }

  private static void follows(String name, UpdateRule rule) {
    Map<Integer, float[]> after = Objects.requireNonNull(torch.after().get(name));
    assertThat(after).containsOnlyKeys(1, 2, 10, 50, 100);
    try (UpdateBench bench = new UpdateBench(rule)) {
      bench.start(torch.start());
      for (int update = 1; update <= 100; update++) {
        double rate = torch.rates().get(update - 1);
        bench.update(torch.gradients().get(update - 1), torch.tokens(), update, rate);
        float[] expected = after.get(update);
        if (expected != null) {
          assertThat(bench.parameters())
              .as("%s after update %d, expected %s", name, update, Arrays.toString(expected))
              .containsExactly(expected, within(2e-5f));
        }
      }
    }
  }

  @Test
  void adamWithDecayAndClipFollowsTorch() {
    follows("adamw", new AdamW(1.0, 0.9, 0.95, 1e-8, 0.1, 1.0));
  }

  @Test
  void adamWithoutDecayAndClipFollowsTorch() {
    follows("adamw-plain", new AdamW(1.0, 0.8, 0.999, 1e-3, 0.0, 0.0));
  }

  @Test
  void sgdFollowsTorch() {
    follows("sgd", new Sgd(1.0, 0.0, false, 0.0, 1.0));
  }

  @Test
  void sgdWithMomentumAndDecayFollowsTorch() {
    follows("sgd-momentum", new Sgd(1.0, 0.9, false, 0.05, 0.0));
  }

  @Test
  void sgdWithNesterovFollowsTorch() {
    follows("sgd-nesterov", new Sgd(1.0, 0.9, true, 0.05, 1.0));
  }
}
