package dev.kindling.optim.outer;

import dev.kindling.kernels.graph.Expectation;
import java.util.Map;

/**
 * DiLoCo a round late, with what a replica knows of itself at once: of M replicas, i steps along
 * D_i,t / M + (D_t-1 - D_i,t-1 / M). Replicas differ by what is still in flight. After Kale et al.
 * 2025 (2502.12996); defaults of {@link Diloco}. With one replica it is DiLoCo.
 *
 * @param tau inner steps of a round
 * @param alpha outer learning rate
 * @param beta outer momentum
 * @param nesterov whether the step looks ahead, with a momentum of Nesterov's form
 */
public record EagerDiloco(int tau, double alpha, double beta, boolean nesterov)
    implements OuterMethod {
  public EagerDiloco {
    new Expectation()
        .atLeast("tau", tau, 1)
        .positive("alpha", alpha)
        .fraction("beta", beta)
        .orThrow();
  }

  public static Map<String, Object> defaults() {
    return Diloco.defaults();
  }

  @Override
  public OuterStep step() {
    return OuterStep.late(alpha, beta, nesterov, OwnShare.ONE_REPLICA);
  }
}
