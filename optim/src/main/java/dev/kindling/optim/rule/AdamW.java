package dev.kindling.optim.rule;

import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.graph.Expectation;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.op.Op;
import dev.kindling.kernels.graph.op.QuantizedAdamW;
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
 * <p>State: {@code m} and {@code v} in fp32, 8 bytes per trained element; in bf16, rounded at
 * random, 4; in codes of 8 bits with a scale for each 256 elements, 2 and 1/32, where a parameter
 * has 4096 elements and is no embedding table (those keep fp32: their gradients are the most
 * uneven). After Loshchilov and Hutter 2019 (1711.05101), algorithm 2, with the learning rate as
 * their {@code eta alpha} and without their separate factor for the decay; the 8 bits after
 * Dettmers et al. 2022 (2110.02861).
 *
 * @param master whether matrices have an fp32 master; without, each is bf16 alone on a GPU, rounded
 *     at random so that small updates count in the mean: an update moves 22 bytes per element
 *     instead of 28, and a parameter takes 2 bytes instead of 6. The CPU keeps fp32 with the same
 *     values.
 * @param state how the moments are stored
 */
public record AdamW(
    double lr,
    double beta1,
    double beta2,
    double eps,
    double weightDecay,
    double clipNorm,
    boolean master,
    AdamState state)
    implements ElementRule {
  /** Fewer elements than this keep fp32 moments: biases and gains, a thousandth of a model. */
  private static final int QUANTIZED_FROM = 4096;

  /** With fp32 state. */
  public AdamW(
      double lr,
      double beta1,
      double beta2,
      double eps,
      double weightDecay,
      double clipNorm,
      boolean master) {
    this(lr, beta1, beta2, eps, weightDecay, clipNorm, master, AdamState.FP32);
  }

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
        "master", true,
        "state", AdamState.FP32);
  }

  @Override
  public List<StateVariable> state(Param p, Shape gradient) {
    if (quantizes(p)) {
      ValueType words = QuantizedAdamW.words(gradient.elements());
      ValueType scales = QuantizedAdamW.scales(gradient.elements());
      return List.of(
          new StateVariable("m", p, words, Role.STATE),
          new StateVariable("v", p, words, Role.STATE),
          new StateVariable("scales", p, scales, Role.STATE));
    }
    Role role = state == AdamState.BF16 ? Role.NARROW_STATE : Role.STATE;
    ValueType type = new ValueType(gradient, DType.F32);
    return List.of(new StateVariable("m", p, type, role), new StateVariable("v", p, type, role));
  }

  private boolean quantizes(Param p) {
    return state == AdamState.INT8
        && p.shape().elements() >= QUANTIZED_FROM
        && !HiddenMatrix.isTable(p);
  }

  @Override
  public void emit(
      GraphBuilder b, Param p, Value gradient, Map<String, Value> values, Value scale, Value step) {
    float decay = p.decay() ? (float) weightDecay : 0f;
    Value content = b.master(p);
    Value m = StateVariable.of(values, "m");
    Value v = StateVariable.of(values, "v");
    Optional<Long> key = roundingKey(p, content);
    if (quantizes(p)) {
      Op op = new QuantizedAdamW((float) beta1, (float) beta2, (float) eps, decay, key);
      b.add(op, content, gradient, m, v, StateVariable.of(values, "scales"), scale, step);
    } else {
      Op op =
          new dev.kindling.kernels.graph.op.AdamW(
              (float) beta1, (float) beta2, (float) eps, decay, key, stateKey(p));
      b.add(op, content, gradient, m, v, scale, step);
    }
  }

  private Optional<Long> stateKey(Param p) {
    return state == AdamState.BF16
        ? Optional.of(StochasticRounding.key(0, "state/" + p.name()))
        : Optional.empty();
  }

  @Override
  public Optional<String> obstacleToPieces() {
    return switch (state) {
      case FP32 -> Optional.empty();
      case BF16 -> Optional.of("adamw's state in bf16 (its rounding follows whole matrices)");
      case INT8 -> Optional.of("adamw's state in int8 (its blocks follow whole matrices)");
    };
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
    StepScalars.ofAverages(stepBlock, lr * lrFactor, beta1, beta2, clipNorm, update);
  }
}
