package dev.kindling.optim.outer;

import dev.kindling.kernels.graph.Expectation;
import java.util.Map;

/**
 * Nesterov's momentum over the mean displacement: m = beta m + D; x = x - alpha (D + beta m).
 * Blocking. After Douillard et al. 2023 (2311.08105), algorithm 1 with its defaults.
 */
public record DiLoCo(int steps, double alpha, double beta, boolean nesterov)
    implements OuterMethod {
  public DiLoCo {
    new Expectation()
        .atLeast("steps", steps, 1)
        .positive("alpha", alpha)
        .fraction("beta", beta)
        .orThrow();
  }

  public static Map<String, Object> defaults() {
    return Map.of("steps", 500, "alpha", 0.7, "beta", 0.9, "nesterov", true);
  }

  @Override
  public OuterStep step() {
    return OuterStep.blocking(alpha, beta, nesterov);
  }
}
