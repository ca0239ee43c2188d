package dev.kindling.optim.outer;

import dev.kindling.kernels.graph.Expectation;
import java.util.Map;

/**
 * Averages the weights every {@code tau} steps: x = x - D. After Stich 2019 (1805.09767), algorithm
 * 1. The default of 12 steps is that of the Local SGD rows of Wang et al. 2020 (SlowMo,
 * 1910.00643).
 *
 * @param tau inner steps of a round
 */
public record LocalSgd(int tau) implements OuterMethod {
  public LocalSgd {
    new Expectation().atLeast("tau", tau, 1).orThrow();
  }

  public static Map<String, Object> defaults() {
    return Map.of("tau", 12);
  }

  @Override
  public OuterStep step() {
    return OuterStep.blocking(1, 0, false);
  }
}
