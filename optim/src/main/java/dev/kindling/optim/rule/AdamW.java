package dev.kindling.optim.rule;

import dev.kindling.kernels.graph.Expectation;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.memory.Span;
import java.util.List;
import java.util.Map;

/**
 * Adam with decoupled weight decay.
 *
 * <pre>
 * g = scale * gradient;  m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2
 * p = p - lr ( (m / c1) / (sqrt(v / c2) + eps) + decay p ),   c_i = 1 - beta_i^update
 * </pre>
 *
 * <p>State: {@code m} and {@code v} in fp32, 8 bytes per trained element. After Loshchilov and
 * Hutter 2019 (1711.05101), algorithm 2, with the learning rate as their {@code eta alpha} and
 * without their separate factor for the decay.
 */
public record AdamW(
    double lr, double beta1, double beta2, double eps, double weightDecay, double clipNorm)
    implements UpdateRule {

  public AdamW {
    new Expectation()
        .positive("lr", lr)
        .fraction("beta1", beta1)
        .fraction("beta2", beta2)
        .positive("eps", eps)
        .notNegative("weight_decay", weightDecay)
        .notNegative("clip_norm", clipNorm)
        .orThrow();
  }

  public static Map<String, Object> defaults() {
    return Map.of("beta1", 0.9, "beta2", 0.95, "eps", 1e-8, "weightDecay", 0.1, "clipNorm", 1.0);
  }

  @Override
  public List<StateVariable> state(Param p, Shape gradient) {
    return List.of(new StateVariable("m", p, gradient), new StateVariable("v", p, gradient));
  }

  @Override
  public void emit(
      GraphBuilder b, Param p, Value gradient, Map<String, Value> state, Value scale, Value step) {
    float decay = p.decay() ? (float) weightDecay : 0f;
    b.add(
        new dev.kindling.kernels.graph.op.AdamW((float) beta1, (float) beta2, (float) eps, decay),
        b.master(p),
        gradient,
        StateVariable.of(state, "m"),
        StateVariable.of(state, "v"),
        scale,
        step);
  }

  @Override
  public void fillStep(Span stepBlock, long update, double lrFactor) {
    StepScalars.write(
        stepBlock,
        lr * lrFactor,
        1.0 - StrictMath.pow(beta1, update),
        1.0 - StrictMath.pow(beta2, update),
        clipNorm,
        update);
  }
}
