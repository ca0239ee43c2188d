package dev.kindling.optim.rule;

import dev.kindling.kernels.graph.Channels;
import dev.kindling.kernels.graph.Expectation;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.op.AdamDirection;
import dev.kindling.kernels.graph.op.Descend;
import dev.kindling.kernels.graph.op.Project;
import dev.kindling.kernels.graph.op.Subspace;
import dev.kindling.kernels.memory.Span;
import dev.kindling.kernels.random.SketchNumbers;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * GaLore: Adam in the subspace that holds most of the gradient. For a hidden matrix of m times n, m
 * at most n (a taller one is turned):
 *
 * <pre>
 * every update_interval updates, from the first on:  P = first rank left singular vectors of G
 * R = P' G;  M, V = Adam's moments of R;  N = (M / c1) / (sqrt(V / c2) + eps),  c_i = 1 - beta_i^t
 * W = W - lr (scale P N + decay W)
 * </pre>
 *
 * <p>The moments go on when P changes. P comes from an orthogonal iteration ({@link Subspace}), not
 * from a singular value decomposition: {@code iterations} steps of it find a vector as well as the
 * gap between two singular values lets them. State: 4 (m rank + 2 rank n + 1) bytes a matrix.
 * Everything that is no hidden matrix gets AdamW, by default with the same numbers.
 *
 * <p>After Zhao et al. 2024 (2403.03507), algorithms 1 and 2. Published presets for pre-training:
 * lr 0.01, scale 0.25, rank a quarter of the width, update_interval 200, no decay, no clipping.
 *
 * @param rank of the subspace, at most the shorter side of every hidden matrix
 * @param scale of the update that comes back from the subspace
 * @param updateInterval updates with the same P; skipped ones do not count
 * @param iterations of the search for P
 * @param seed of what the search starts from
 * @param rest the rule of everything else; left out: AdamW with the numbers of this rule
 */
public record Galore(
    double lr,
    double beta1,
    double beta2,
    double eps,
    double weightDecay,
    double clipNorm,
    int rank,
    double scale,
    int updateInterval,
    int iterations,
    long seed,
    Optional<AdamW> rest)
    implements UpdateRule {

  public Galore {
    new Expectation()
        .positive("lr", lr)
        .fraction("beta1", beta1)
        .fraction("beta2", beta2)
        .positive("eps", eps)
        .notNegative("weight_decay", weightDecay)
        .notNegative("clip_norm", clipNorm)
        .atLeast("rank", rank, 1)
        .positive("scale", scale)
        .atLeast("update_interval", updateInterval, 1)
        .atLeast("iterations", iterations, 1)
        .that(
            rest.isEmpty() || rest.get().clipNorm() == clipNorm,
            "rest.clip_norm",
            clipNorm + " as in this rule (one norm bounds all gradients together)",
            rest.map(AdamW::clipNorm).orElse(clipNorm))
        .orThrow();
  }

  public static Map<String, Object> defaults() {
    return Map.ofEntries(
        Map.entry("beta1", 0.9),
        Map.entry("beta2", 0.999),
        Map.entry("eps", 1e-6),
        Map.entry("weightDecay", 0.0),
        Map.entry("clipNorm", 0.0),
        Map.entry("rank", 256),
        Map.entry("scale", 0.25),
        Map.entry("updateInterval", 200),
        Map.entry("iterations", 8),
        Map.entry("seed", 0L));
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

  @Override
  public Optional<String> obstacleToPieces() {
    return Optional.of("galore (singular vectors are those of whole matrices)");
  }

  private Channels channels(Param p) {
    Channels channels = Channels.of(p.shape(), p.shape());
    if (rank > channels.contracted()) {
      throw new PlanException(
          "optimizer.rank: expected at most "
              + channels.contracted()
              + ", the shorter side of "
              + p.name()
              + " "
              + p.shape()
              + ", found "
              + rank);
    }
    return channels;
  }

  @Override
  public List<StateVariable> state(Param p, Shape gradient) {
    Channels channels = channels(p);
    Shape moments = Shape.of(channels.own(), rank);
    return List.of(
        new StateVariable("basis", p, Shape.of(channels.contracted(), rank)),
        new StateVariable("age", p, Shape.of(1)),
        new StateVariable("m", p, moments),
        new StateVariable("v", p, moments));
  }

  @Override
  public void emit(
      GraphBuilder b, Param p, Value gradient, Map<String, Value> state, Value factor, Value step) {
    Channels channels = channels(p);
    // One stream for all matrices: those of one shape are then one operation many times over.
    long key = SketchNumbers.key(seed, "subspace");
    Value basis =
        b.add(
                new Subspace(channels, rank, updateInterval, iterations, key),
                gradient,
                StateVariable.of(state, "basis"),
                StateVariable.of(state, "age"),
                factor)
            .get(2);
    Value projected = b.add(new Project(channels, rank), gradient, basis).get(0);
    Value direction =
        b.add(
                new AdamDirection((float) beta1, (float) beta2, (float) eps),
                projected,
                StateVariable.of(state, "m"),
                StateVariable.of(state, "v"),
                factor,
                step)
            .get(0);
    Value whole = channels.areRows() ? b.linear(direction, basis) : b.linear(basis, direction);
    float decay = p.decay() ? (float) weightDecay : 0f;
    b.add(new Descend((float) scale, decay), b.master(p), whole, factor, step);
  }

  @Override
  public void fillStep(Span stepBlock, long update, double lrFactor) {
    StepScalars.ofAverages(stepBlock, lr * lrFactor, beta1, beta2, clipNorm, update);
  }
}
