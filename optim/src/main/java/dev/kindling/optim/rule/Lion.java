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
 * Lion: the sign of a momentum, with decoupled weight decay.
 *
 * <pre>
 * g = scale * gradient;  u = sign(beta1 m + (1 - beta1) g)
 * p = p - lr (u + decay p);  m = beta2 m + (1 - beta2) g
 * </pre>
 *
 * <p>State: {@code m} in fp32, 4 bytes per trained element. Every element moves by lr, so lr is
 * three to ten times smaller, and the decay as much larger, than AdamW's. After Chen et al. 2023
 * (2302.06675), algorithm 2 and section 5.
 */
public record Lion(double lr, double beta1, double beta2, double weightDecay, double clipNorm)
    implements ElementRule {

  public Lion {
    new Expectation()
        .positive("lr", lr)
        .fraction("beta1", beta1)
        .fraction("beta2", beta2)
        .notNegative("weight_decay", weightDecay)
        .notNegative("clip_norm", clipNorm)
        .orThrow();
  }

  public static Map<String, Object> defaults() {
    return Map.of("beta1", 0.9, "beta2", 0.99, "weightDecay", 0.1, "clipNorm", 1.0);
  }

  @Override
  public List<StateVariable> state(Param p, Shape gradient) {
    return List.of(new StateVariable("m", p, gradient));
  }

  @Override
  public void emit(
      GraphBuilder b, Param p, Value gradient, Map<String, Value> state, Value scale, Value step) {
    float decay = p.decay() ? (float) weightDecay : 0f;
    b.add(
        new dev.kindling.kernels.graph.op.Lion((float) beta1, (float) beta2, decay),
        b.master(p),
        gradient,
        StateVariable.of(state, "m"),
        scale,
        step);
  }

  @Override
  public void fillStep(Span stepBlock, long update, double lrFactor) {
    StepScalars.write(stepBlock, lr * lrFactor, 1.0, 1.0, clipNorm, update);
  }
}
