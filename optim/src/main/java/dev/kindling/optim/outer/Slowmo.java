package dev.kindling.optim.outer;

import dev.kindling.kernels.graph.Expectation;
import java.util.Map;

/**
 * Slow momentum, in units of the inner learning rate: u = beta u + D / lr; x = x - alpha lr u.
 * Blocking. With one replica and a beta of 0 it is Lookahead. After Wang et al. 2020 (1910.00643),
 * algorithm 1; defaults of FairScale's implementation.
 *
 * @param tau inner steps of a round
 * @param alpha outer learning rate
 * @param beta outer momentum
 */
public record Slowmo(int tau, double alpha, double beta) implements OuterMethod {
  public Slowmo {
    new Expectation()
        .atLeast("tau", tau, 1)
        .positive("alpha", alpha)
        .fraction("beta", beta)
        .orThrow();
  }

  public static Map<String, Object> defaults() {
    return Map.of("tau", 48, "alpha", 1.0, "beta", 0.5);
  }

  @Override
  public OuterStep step() {
    return OuterStep.blocking(alpha, beta, false).perInnerRate();
  }
}
