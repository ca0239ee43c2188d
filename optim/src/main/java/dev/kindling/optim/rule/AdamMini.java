package dev.kindling.optim.rule;

import dev.kindling.kernels.graph.Expectation;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.memory.Span;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Adam-mini: AdamW with one second moment for each block of a parameter.
 *
 * <pre>
 * g = scale * gradient;  m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) mean of g^2 in block
 * p = p - lr ( (m / c1) / (sqrt(v / c2) + eps) + decay p ),   c_i = 1 - beta_i^update
 * </pre>
 *
 * <p>A block is a row of a matrix: the weights of one output, or of one token in tables and heads;
 * with {@code head_dim}, so many rows of query and key projections: a head; a vector is one block.
 * (GPT-2's transposed matrices have the weights of one input in a row.) Sharded ranks keep whole
 * blocks. State: {@code m} in fp32, 4 bytes per trained element, and {@code v}, 4 bytes per block.
 * After Zhang et al. 2024 (2406.16793), algorithms 1 and 3.
 *
 * @param headDim width of an attention head; empty: query and key projections row by row
 */
public record AdamMini(
    double lr,
    double beta1,
    double beta2,
    double eps,
    Optional<Integer> headDim,
    double weightDecay,
    double clipNorm)
    implements UpdateRule {
  private static final NamePattern HEADS = new NamePattern("*q_proj.weight|*k_proj.weight");

  public AdamMini {
    new Expectation()
        .positive("lr", lr)
        .fraction("beta1", beta1)
        .fraction("beta2", beta2)
        .positive("eps", eps)
        .atLeast("head_dim", headDim.orElse(1), 1)
        .notNegative("weight_decay", weightDecay)
        .notNegative("clip_norm", clipNorm)
        .orThrow();
  }

  public static Map<String, Object> defaults() {
    return Map.of("beta1", 0.9, "beta2", 0.95, "eps", 1e-8, "weightDecay", 0.1, "clipNorm", 1.0);
  }

  /**
   * Elements that share a second moment.
   *
   * @param gradient of the parameter, of some of its columns, or of the run that a rank keeps
   */
  private int block(Param p, Shape gradient) {
    if (p.shape().rank() != 2) {
      return Math.toIntExact(gradient.elements());
    }
    int rows = HEADS.matches(p.name()) ? headDim.orElse(1) : 1;
    expect(
        p.shape().dim(0) % rows == 0,
        "optimizer.head_dim: expected a divisor of the " + p.shape().dim(0) + " rows of ",
        p,
        rows);
    int block = rows * (gradient.rank() == 2 ? gradient.dim(1) : p.shape().dim(1));
    expect(
        gradient.elements() % block == 0,
        "mesh.zero: expected pieces of whole blocks (" + rows + " rows, with adam_mini) of ",
        p,
        p.shape() + " in pieces of " + gradient.elements() + " elements");
    return block;
  }

  private static void expect(boolean holds, String expected, Param p, Object found) {
    if (!holds) {
      throw new PlanException(expected + p.name() + ", found " + found);
    }
  }

  @Override
  public List<StateVariable> state(Param p, Shape gradient) {
    int blocks = Math.toIntExact(gradient.elements() / block(p, gradient));
    return List.of(
        new StateVariable("m", p, gradient), new StateVariable("v", p, Shape.of(blocks)));
  }

  @Override
  public void emit(
      GraphBuilder b, Param p, Value gradient, Map<String, Value> state, Value scale, Value step) {
    float decay = p.decay() ? (float) weightDecay : 0f;
    int block = block(p, gradient.type().shape());
    b.add(
        new dev.kindling.kernels.graph.op.AdamMini(
            (float) beta1, (float) beta2, (float) eps, decay, block),
        b.master(p),
        gradient,
        StateVariable.of(state, "m"),
        StateVariable.of(state, "v"),
        scale,
        step);
  }

  @Override
  public void fillStep(Span stepBlock, long update, double lrFactor) {
    StepScalars.ofAverages(stepBlock, lr * lrFactor, beta1, beta2, clipNorm, update);
  }
}
