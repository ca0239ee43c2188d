package dev.kindling.optim.outer;

import dev.kindling.kernels.graph.Expectation;
import java.util.Map;

/**
 * Applies its own displacement at once and corrects it when the mean arrives a round later: i steps
 * along D_i,t + (D_t-1 - D_i,t-1). For given displacements the mean over replicas follows the
 * blocking method exactly; a replica is off it by alpha times the sum over s of beta^s (D_i,t-s -
 * D_t-s), so evaluation needs a mean. With an alpha of 1 and a beta of 0 it is CoCoD-SGD (Shen et
 * al. 2019, 1906.12043); the outer momentum is ours. Defaults are {@link Diloco}'s momentum over 48
 * steps and a rate that its replicas bear: beyond (1 + beta) / (1 + 2 beta) they drift apart.
 *
 * @param tau inner steps of a round
 * @param alpha outer learning rate
 * @param beta outer momentum
 * @param nesterov whether the step looks ahead, with a momentum of Nesterov's form
 */
public record Corrected(int tau, double alpha, double beta, boolean nesterov)
    implements OuterMethod {
  public Corrected {
    new Expectation()
        .atLeast("tau", tau, 1)
        .positive("alpha", alpha)
        .fraction("beta", beta)
        .orThrow();
  }

  public static Map<String, Object> defaults() {
    return Map.of("tau", 48, "alpha", 0.6, "beta", 0.9, "nesterov", true);
  }

  @Override
  public OuterStep step() {
    return OuterStep.late(alpha, beta, nesterov, OwnShare.ALL);
  }
}
