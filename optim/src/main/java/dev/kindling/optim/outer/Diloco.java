package dev.kindling.optim.outer;

import dev.kindling.kernels.graph.Expectation;
import java.util.Map;

/**
 * Nesterov's momentum over the mean displacement: m = beta m + D; x = x - alpha (D + beta m).
 * Blocking. After Douillard et al. 2023 (2311.08105), algorithm 1 with its defaults.
 *
 * @param tau inner steps of a round
 * @param alpha outer learning rate
 * @param beta outer momentum
 * @param nesterov whether the step looks ahead, with a momentum of Nesterov's form
 */
public record Diloco(int tau, double alpha, double beta, boolean nesterov) implements OuterMethod {
  public Diloco {
    new Expectation()
        .atLeast("tau", tau, 1)
        .positive("alpha", alpha)
        .fraction("beta", beta)
        .orThrow();
  }

  public static Map<String, Object> defaults() {
    return Map.of("tau", 500, "alpha", 0.7, "beta", 0.9, "nesterov", true);
  }

  @Override
  public OuterStep step() {
    return OuterStep.blocking(alpha, beta, nesterov);
  }
}
