package dev.kindling.optim.rule;

import dev.kindling.kernels.graph.Expectation;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.op.Descend;
import dev.kindling.kernels.graph.op.GlobalNorm;
import dev.kindling.kernels.graph.op.Linear;
import dev.kindling.kernels.graph.op.LinearWeightGradient;
import dev.kindling.kernels.graph.op.Momentum;
import dev.kindling.kernels.graph.op.Normalize;
import dev.kindling.kernels.graph.op.WeightLayout;
import dev.kindling.kernels.graph.op.WeightedSum;
import dev.kindling.kernels.memory.Span;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Muon: the momentum of a matrix, made nearly orthogonal, for the matrices of attention and MLP;
 * another rule for everything else.
 *
 * <pre>
 * g = scale * gradient;  u = lerp(g, u, momentum);  d = nesterov ? lerp(g, u, momentum) : u
 * X = d / |d|;  steps times: A = X X', X = a X + (b A + c A A) X   (of X' where it has fewer rows)
 * p = p - lr (f X + decay p),  (a, b, c) = (3.4445, -4.775, 2.0315),  f of {@link MuonScale}
 * </pre>
 *
 * <p>The products run in a device's narrow precision. State: {@code momentum} in fp32, 4 bytes per
 * element of those matrices. After Jordan et al. 2024 (kellerjordan.github.io/posts/muon) with the
 * decay and the scale of Liu et al. 2025 (2502.16982), section 2. A fused query, key and value
 * counts as one matrix.
 *
 * @param steps of the Newton-Schulz iteration
 * @param rest updates embeddings, head, gains and biases; by default AdamW with this lr, decay and
 *     clip norm
 */
public record Muon(
    double lr,
    double momentum,
    boolean nesterov,
    int steps,
    MuonScale scale,
    double weightDecay,
    double clipNorm,
    Optional<ElementRule> rest)
    implements UpdateRule {
  private static final float A = 3.4445f;
  private static final float B = -4.775f;
  private static final float C = 2.0315f;

  /** Norms below it are no direction. */
  private static final float LEAST_NORM = 1e-7f;

  public Muon {
    Expectation errors =
        new Expectation()
            .positive("lr", lr)
            .fraction("momentum", momentum)
            .atLeast("steps", steps, 1)
            .notNegative("weight_decay", weightDecay)
            .notNegative("clip_norm", clipNorm);
    rest.ifPresent(
        rule ->
            errors.that(
                rule.clipNorm() == clipNorm,
                "rest.clip_norm",
                clipNorm + " as beside it (one norm bounds all gradients together)",
                rule.clipNorm()));
    errors.orThrow();
  }

  public static Map<String, Object> defaults() {
    return Map.of(
        "momentum",
        0.95,
        "nesterov",
        true,
        "steps",
        5,
        "scale",
        MuonScale.MATCH_RMS,
        "weightDecay",
        0.1,
        "clipNorm",
        1.0);
  }

  private UpdateRule others() {
    return rest.isPresent() ? rest.get() : new AdamW(lr, 0.9, 0.95, 1e-8, weightDecay, clipNorm);
  }

  @Override
  public List<UpdateRule> rules() {
    return List.of(this, others());
  }

  @Override
  public UpdateRule ruleOf(Param p) {
    return HiddenMatrix.is(p) ? this : others();
  }

  @Override
  public Optional<String> obstacleToPieces() {
    return Optional.of("muon (its products are those of whole matrices)");
  }

  @Override
  public List<StateVariable> state(Param p, Shape gradient) {
    return List.of(new StateVariable("momentum", p, gradient));
  }

  @Override
  public void emit(
      GraphBuilder b, Param p, Value gradient, Map<String, Value> state, Value factor, Value step) {
    Shape shape = gradient.type().shape();
    if (shape.rank() != 2) {
      throw new PlanException("muon: expected a whole matrix, found " + p.name() + " " + shape);
    }
    Momentum op = new Momentum((float) momentum, nesterov);
    Value direction = b.add(op, gradient, StateVariable.of(state, "momentum"), factor).get(0);
    Value norm = b.add(new GlobalNorm(false), direction).get(0);
    Value x = b.add(new Normalize(LEAST_NORM), direction, norm).get(0);
    for (int i = 0; i < steps; i++) {
      x = iterate(b, x, shape.dim(0) <= shape.dim(1));
    }
    float decay = p.decay() ? (float) weightDecay : 0f;
    float length = (float) scale.factor(shape.dim(0), shape.dim(1));
    b.add(new Descend(length, decay), b.master(p), x, factor, step);
  }

  /** The polynomial of the smaller of X X' and X' X, which are symmetric. */
  private static Value iterate(GraphBuilder b, Value x, boolean wide) {
    Linear byTransposed = new Linear(WeightLayout.OUT_IN, false);
    Linear times = new Linear(WeightLayout.IN_OUT, false);
    Value gram;
    if (wide) {
      gram = b.add(byTransposed, x, x).get(0);
    } else {
      // The product of a transposed left side sums in fp32; as a factor it is narrow again.
      Value sums = b.add(new LinearWeightGradient(WeightLayout.OUT_IN, false), x, x).get(0);
      gram = b.add(new WeightedSum(1, 0), sums, sums).get(0);
    }
    Value square = b.add(byTransposed, gram, gram).get(0);
    Value mixed = b.add(new WeightedSum(B, C), gram, square).get(0);
    Value product = wide ? b.add(times, mixed, x).get(0) : b.add(times, x, mixed).get(0);
    return b.add(new WeightedSum(A, 1), x, product).get(0);
  }

  @Override
  public void fillStep(Span stepBlock, long update, double lrFactor) {
    StepScalars.write(stepBlock, lr * lrFactor, 1.0, 1.0, clipNorm, update);
  }
}
