package dev.kindling.optim.rule;

import dev.kindling.kernels.graph.Axis;
import dev.kindling.kernels.graph.Channels;
import dev.kindling.kernels.graph.Expectation;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.op.AllReduce;
import dev.kindling.kernels.graph.op.ScaledUpdate;
import dev.kindling.kernels.graph.op.Sketch;
import dev.kindling.kernels.graph.op.SketchMoments;
import dev.kindling.kernels.memory.Span;
import dev.kindling.kernels.random.SketchNumbers;
import dev.kindling.kernels.random.StochasticRounding;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * APOLLO: the raw gradient, stretched channel by channel as Adam would stretch a random low-rank
 * sketch of it. For a hidden matrix of m times n, m at most n, with channels along n:
 *
 * <pre>
 * R = P G / sqrt(rank);  M, V = Adam's moments of R;  R~ = M / (sqrt(V) + eps)
 * U_j = G_j |R~_j| / |R_j|;  U /= max(|U| / |U last|, norm_growth) / norm_growth
 * W = (W - lr sqrt(1 - beta2^t) / (1 - beta1^t) alpha U) (1 - lr decay),   alpha = sqrt(scale)
 * </pre>
 *
 * <p>P is Gaussian, drawn anew every {@code update_interval} updates from the counter-based random
 * numbers of {@code seed} and the parameter's name, the same for any number of ranks; nothing of it
 * is stored, and the moments go on. State: 8 rank n + 4 bytes a matrix. Everything that is no
 * hidden matrix (tables, head, gains, biases) gets AdamW, by default with the same numbers. Sharded
 * ranks keep whole rows; where these are channels nothing but three sums a matrix travels, else the
 * sketch is reduced too.
 *
 * <p>After Zhu et al. 2025 (2412.05270), algorithm 1 and appendix A.4, for which a factor is
 * sqrt(rank / m) times the full one: scale m / rank makes steps as large as AdamW's, and its
 * learning rates fit. Published presets for pre-training: lr 0.01, rank a quarter of the width,
 * scale 1, update_interval 200, no clipping.
 *
 * @param rank of the sketch, at most the shorter side of every hidden matrix
 * @param scale square of alpha; {@code auto} or left out: m / rank of each matrix
 * @param updateInterval updates with the same P
 * @param scaleFront whether alpha is part of the norm that is limited
 * @param normGrowth largest ratio of the norms of successive updates, 0 for no limit
 * @param granularity factors of channels or of whole matrices
 * @param weights how the hidden matrices are stored; {@code int8} makes this Q-APOLLO (section 5.4)
 * @param rest the rule of everything else; left out: AdamW with the numbers of this rule
 */
public record Apollo(
    double lr,
    double beta1,
    double beta2,
    double eps,
    double weightDecay,
    double clipNorm,
    int rank,
    Optional<Double> scale,
    int updateInterval,
    boolean scaleFront,
    double normGrowth,
    Granularity granularity,
    long seed,
    WeightStorage weights,
    Optional<AdamW> rest)
    implements UpdateRule {

  /** With weights in fp32. */
  public Apollo(
      double lr,
      double beta1,
      double beta2,
      double eps,
      double weightDecay,
      double clipNorm,
      int rank,
      Optional<Double> scale,
      int updateInterval,
      boolean scaleFront,
      double normGrowth,
      Granularity granularity,
      long seed,
      Optional<AdamW> rest) {
    this(
        lr,
        beta1,
        beta2,
        eps,
        weightDecay,
        clipNorm,
        rank,
        scale,
        updateInterval,
        scaleFront,
        normGrowth,
        granularity,
        seed,
        WeightStorage.FP32,
        rest);
  }

  public Apollo {
    check(new Expectation(), lr, beta1, beta2, eps)
        .notNegative("weight_decay", weightDecay)
        .notNegative("clip_norm", clipNorm)
        .atLeast("rank", rank, 1)
        .positive("scale", scale.orElse(1.0))
        .atLeast("update_interval", updateInterval, 1)
        .that(
            normGrowth == 0 || (normGrowth > 1 && Double.isFinite(normGrowth)),
            "norm_growth",
            "a number above 1, or 0 for no limit",
            normGrowth)
        .that(
            rest.isEmpty() || rest.get().clipNorm() == clipNorm,
            "rest.clip_norm",
            clipNorm + " as in this rule (one norm bounds all gradients together)",
            rest.map(AdamW::clipNorm).orElse(clipNorm))
        .orThrow();
  }

  private static Expectation check(
      Expectation errors, double lr, double beta1, double beta2, double eps) {
    return errors
        .positive("lr", lr)
        .fraction("beta1", beta1)
        .fraction("beta2", beta2)
        .positive("eps", eps);
  }

  public static Map<String, Object> defaults() {
    return Map.ofEntries(
        Map.entry("beta1", 0.9),
        Map.entry("beta2", 0.999),
        Map.entry("eps", 1e-6),
        Map.entry("weightDecay", 0.0),
        Map.entry("clipNorm", 0.0),
        Map.entry("rank", 256),
        Map.entry("updateInterval", 200),
        Map.entry("scaleFront", false),
        Map.entry("normGrowth", 1.01),
        Map.entry("granularity", Granularity.CHANNEL),
        Map.entry("seed", 0L),
        Map.entry("weights", WeightStorage.FP32));
  }

  @Override
  public List<UpdateRule> rules() {
    return List.of(this, others());
  }

  @Override
  public UpdateRule ruleOf(Param p) {
    return p.isWholeHiddenMatrix() ? this : others();
  }

  private AdamW others() {
    return rest.orElseGet(() -> new AdamW(lr, beta1, beta2, eps, weightDecay, clipNorm));
  }

  /**
   * @param kept shape of what the rank keeps of the matrix
   */
  private Channels channels(Param p, Shape kept) {
    long ranks = p.shape().elements() / kept.elements();
    if (p.shape().dim(0) % ranks != 0) {
      throw new PlanException(
          "mesh.zero: expected ranks that divide the rows of every hidden matrix (a sketch wants"
              + " whole rows), found "
              + ranks
              + " and "
              + p.name()
              + " "
              + p.shape());
    }
    int shorter = Math.min(p.shape().dim(0), p.shape().dim(1));
    if (rank > shorter) {
      throw new PlanException(
          "optimizer.rank: expected at most "
              + shorter
              + ", the shorter side of "
              + p.name()
              + " "
              + p.shape()
              + ", found "
              + rank);
    }
    return Channels.of(p.shape(), kept);
  }

  @Override
  public List<StateVariable> state(Param p, Shape gradient) {
    Shape sketch = Shape.of(channels(p, gradient).own(), rank);
    List<StateVariable> state = new ArrayList<>();
    state.add(new StateVariable("m", p, sketch));
    state.add(new StateVariable("v", p, sketch));
    if (normGrowth > 0) {
      state.add(new StateVariable("norm", p, Shape.of(1)));
    }
    return state;
  }

  @Override
  public void emit(
      GraphBuilder b, Param p, Value gradient, Map<String, Value> state, Value scale, Value step) {
    Channels channels = channels(p, gradient.shape());
    boolean perChannel = granularity == Granularity.CHANNEL;
    long key = SketchNumbers.key(seed, p.name());
    List<Value> sketch =
        b.add(new Sketch(channels, rank, key, updateInterval, Axis.DATA), gradient, step);
    Value reduced =
        channels.areCut() ? b.add(new AllReduce(Axis.DATA), sketch.get(0)).get(0) : sketch.get(0);
    int copies = channels.areCut() ? channels.pieces() : 1;
    List<Value> moments =
        b.add(
            new SketchMoments((float) beta1, (float) beta2, (float) eps, perChannel, copies),
            reduced,
            sketch.get(1),
            StateVariable.of(state, "m"),
            StateVariable.of(state, "v"),
            scale);
    Value sums =
        channels.pieces() > 1
            ? b.add(new AllReduce(Axis.DATA), moments.get(3)).get(0)
            : moments.get(3);
    List<Value> inputs = new ArrayList<>(List.of(b.master(p), gradient, moments.get(2), sums));
    if (normGrowth > 0) {
      inputs.add(StateVariable.of(state, "norm"));
    }
    inputs.addAll(List.of(scale, step));
    b.add(update(p, channels, perChannel), inputs.toArray(Value[]::new));
  }

  private ScaledUpdate update(Param p, Channels channels, boolean perChannel) {
    int shorter = Math.min(channels.rows(), channels.columns());
    double alpha = Math.sqrt(scale.orElse((double) shorter / rank));
    float decay = p.decay() ? (float) weightDecay : 0f;
    Optional<Long> roundingKey =
        weights == WeightStorage.INT8
            ? Optional.of(StochasticRounding.key(seed, p.name()))
            : Optional.empty();
    return new ScaledUpdate(
        channels, perChannel, (float) alpha, scaleFront, (float) normGrowth, decay, roundingKey);
  }

  @Override
  public WeightStorage storage(Param p) {
    return weights;
  }

  @Override
  public Optional<String> obstacleToPieces() {
    return weights == WeightStorage.INT8
        ? Optional.of("apollo's weights in int8 (their groups follow whole matrices)")
        : Optional.empty();
  }

  @Override
  public void fillStep(Span stepBlock, long update, double lrFactor) {
    StepScalars.ofAverages(stepBlock, lr * lrFactor, beta1, beta2, clipNorm, update);
  }
}
