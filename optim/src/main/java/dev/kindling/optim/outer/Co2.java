package dev.kindling.optim.outer;

import dev.kindling.kernels.graph.Expectation;
import java.util.Map;

/**
 * SlowMo a round late, so that the reduction has a whole round of inner steps to hide behind:
 *
 * <pre>
 * m_t = beta m_t-1 + D_t-1 / Lambda_t;  x_t+1 = x_t - alpha clip(m_t)
 * </pre>
 *
 * <p>After Sun et al. 2024 (2401.16265); Lambda is a number or a reconstruction of its staleness
 * gap. Defaults: alpha, steps and the number 1 of its published code, beta of that code's example.
 * By those, directions that the inner steps exhaust within a round diverge, and {@link #warnings}
 * says so.
 *
 * @param tau inner steps of a round
 * @param alpha outer learning rate
 * @param beta outer momentum
 * @param delay rounds, 0 or 1; with 0, a penalty of 1 and no clip it is what the published code
 *     does
 * @param penalty what divides D
 * @param lambda the number of {@link Penalty#CONSTANT}, 1 or more; 1 for the others
 * @param clip bound on each element of the momentum, 0 for none
 * @param clipped where it is clipped; the ratios read the stored momentum, which then must be
 * @param first what the first boundary applies, when nothing has arrived
 */
public record Co2(
    int tau,
    double alpha,
    double beta,
    int delay,
    Penalty penalty,
    double lambda,
    double clip,
    Clip clipped,
    FirstRound first)
    implements OuterMethod {
  public Co2 {
    boolean ratio = penalty != Penalty.CONSTANT;
    new Expectation()
        .atLeast("tau", tau, 1)
        .positive("alpha", alpha)
        .fraction("beta", beta)
        .that(delay == 0 || delay == 1, "delay", "0 or 1 rounds", delay)
        .that(!ratio || delay == 1, "penalty", "CONSTANT without a delay", penalty)
        .that(
            lambda >= 1 && Double.isFinite(lambda) && (!ratio || lambda == 1),
            "lambda",
            ratio ? "1 for " + penalty : "a number of 1 or more",
            lambda)
        .notNegative("clip", clip)
        .that(
            !ratio || clip == 0 || clipped == Clip.STORED,
            "clipped",
            "STORED for " + penalty,
            clipped)
        .orThrow();
  }

  public static Map<String, Object> defaults() {
    return Map.of(
        "tau",
        48,
        "alpha",
        1.0,
        "beta",
        0.2,
        "delay",
        1,
        "penalty",
        Penalty.CONSTANT,
        "lambda",
        1.0,
        "clip",
        0.0,
        "clipped",
        Clip.STORED,
        "first",
        FirstRound.SYNC);
  }

  @Override
  public OuterStep step() {
    OuterStep step =
        delay == 0
            ? OuterStep.blocking(alpha, beta, false)
            : OuterStep.late(alpha, beta, false, OwnShare.NONE);
    double limit = clip == 0 ? Double.POSITIVE_INFINITY : clip;
    return step.penalized(penalty, lambda)
        .clipped(clipped == Clip.STORED ? limit : Double.POSITIVE_INFINITY, limit);
  }
}
