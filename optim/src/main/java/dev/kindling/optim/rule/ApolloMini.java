package dev.kindling.optim.rule;

import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.memory.Span;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * APOLLO-Mini: {@link Apollo} of rank 1 with one factor for a whole matrix, so that its state is 8
 * bytes a channel and 4 a matrix. After Zhu et al. 2025 (2412.05270), section 4.3. Published preset
 * for pre-training: lr 0.01, scale 128, update_interval 200, no clipping; 60M and 130M parameters
 * with scale_front.
 *
 * @param scale square of alpha; {@code auto} or left out: the shorter side of each matrix, so that
 *     steps are as large as AdamW's
 * @param updateInterval updates with the same projection
 * @param scaleFront whether alpha is part of the norm that is limited
 * @param normGrowth largest ratio of the norms of successive updates, 0 for no limit
 * @param weights how the hidden matrices are stored; {@code int8} makes this Q-APOLLO-Mini
 * @param rest the rule of everything else; left out: AdamW with the numbers of this rule
 */
public record ApolloMini(
    double lr,
    double beta1,
    double beta2,
    double eps,
    double weightDecay,
    double clipNorm,
    Optional<Double> scale,
    int updateInterval,
    boolean scaleFront,
    double normGrowth,
    long seed,
    WeightStorage weights,
    Optional<AdamW> rest)
    implements UpdateRule {

  /** With weights in fp32. */
  public ApolloMini(
      double lr,
      double beta1,
      double beta2,
      double eps,
      double weightDecay,
      double clipNorm,
      Optional<Double> scale,
      int updateInterval,
      boolean scaleFront,
      double normGrowth,
      long seed,
      Optional<AdamW> rest) {
    this(
        lr,
        beta1,
        beta2,
        eps,
        weightDecay,
        clipNorm,
        scale,
        updateInterval,
        scaleFront,
        normGrowth,
        seed,
        WeightStorage.FP32,
        rest);
  }

  public ApolloMini {
    new Apollo(
        lr,
        beta1,
        beta2,
        eps,
        weightDecay,
        clipNorm,
        1,
        scale,
        updateInterval,
        scaleFront,
        normGrowth,
        Granularity.TENSOR,
        seed,
        weights,
        rest);
  }

  public static Map<String, Object> defaults() {
    return Map.of(
        "beta1", 0.9,
        "beta2", 0.999,
        "eps", 1e-6,
        "weightDecay", 0.0,
        "clipNorm", 0.0,
        "updateInterval", 200,
        "scaleFront", false,
        "normGrowth", 1.01,
        "seed", 0L,
        "weights", WeightStorage.FP32);
  }

  /** The same rule in the terms of the general one. */
  Apollo general() {
    return new Apollo(
        lr,
        beta1,
        beta2,
        eps,
        weightDecay,
        clipNorm,
        1,
        scale,
        updateInterval,
        scaleFront,
        normGrowth,
        Granularity.TENSOR,
        seed,
        weights,
        rest);
  }

  @Override
  public List<UpdateRule> rules() {
    return List.of(this, general().rules().get(1));
  }

  @Override
  public UpdateRule ruleOf(Param p) {
    return p.isWholeHiddenMatrix() ? this : general().ruleOf(p);
  }

  @Override
  public WeightStorage storage(Param p) {
    return weights;
  }

  @Override
  public Optional<String> obstacleToPieces() {
    return general().obstacleToPieces();
  }

  @Override
  public List<StateVariable> state(Param p, Shape gradient) {
    return general().state(p, gradient);
  }

  @Override
  public void emit(
      GraphBuilder b, Param p, Value gradient, Map<String, Value> state, Value scale, Value step) {
    general().emit(b, p, gradient, state, scale, step);
  }

  @Override
  public void fillStep(Span stepBlock, long update, double lrFactor) {
    StepScalars.ofAverages(stepBlock, lr * lrFactor, beta1, beta2, clipNorm, update);
  }
}
