package dev.kindling.optim.rule;

import dev.kindling.kernels.graph.Expectation;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.memory.Span;
import dev.kindling.kernels.random.StochasticRounding;
import java.util.List;
import java.util.Map;
import java.util.Optional;

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
 *
 * @param master whether matrices have an fp32 master; without, each is bf16 alone on a GPU, rounded
 *     at random so that small updates count in the mean: an update moves 22 bytes per element
 *     instead of 28, and a parameter takes 2 bytes instead of 6. The CPU keeps fp32 with the same
 *     values.
 */
public record AdamW(
    double lr,
    double beta1,
    double beta2,
    double eps,
    double weightDecay,
    double clipNorm,
    boolean master)
    implements UpdateRule {

  /** With fp32 masters. */
  public AdamW(
      double lr, double beta1, double beta2, double eps, double weightDecay, double clipNorm) {
    this(lr, beta1, beta2, eps, weightDecay, clipNorm, true);
  }

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
    return Map.of(
        "beta1", 0.9,
        "beta2", 0.95,
        "eps", 1e-8,
        "weightDecay", 0.1,
        "clipNorm", 1.0,
        "master", true);
  }

  @Override
  public List<StateVariable> state(Param p, Shape gradient) {
    return List.of(new StateVariable("m", p, gradient), new StateVariable("v", p, gradient));
  }

  @Override
  public void emit(
      GraphBuilder b, Param p, Value gradient, Map<String, Value> state, Value scale, Value step) {
    float decay = p.decay() ? (float) weightDecay : 0f;
    Value content = b.master(p);
    b.add(
        new dev.kindling.kernels.graph.op.AdamW(
            (float) beta1, (float) beta2, (float) eps, decay, roundingKey(p, content)),
        content,
        gradient,
        StateVariable.of(state, "m"),
        StateVariable.of(state, "v"),
        scale,
        step);
  }

  /** Gains and biases keep their masters: they are few, and kernels read them in fp32. */
  private Optional<Long> roundingKey(Param p, Value content) {
    boolean rounds = !master && p.shape().rank() == 2;
    if (rounds && !content.shape().equals(p.shape())) {
      throw new PlanException(
          "optimizer.master: expected true where ranks keep pieces of a matrix, found false for "
              + p.name()
              + " "
              + p.shape()
              + ", kept as "
              + content.shape());
    }
    return rounds ? Optional.of(StochasticRounding.key(0, p.name())) : Optional.empty();
  }

  @Override
  public void fillStep(Span stepBlock, long update, double lrFactor) {
    StepScalars.write(
        stepBlock,
        lr * lrFactor,
        1.0 - IntegerPower.of(beta1, update),
        1.0 - IntegerPower.of(beta2, update),
        clipNorm,
        update);
  }
}
