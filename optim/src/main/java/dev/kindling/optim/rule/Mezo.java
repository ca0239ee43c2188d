package dev.kindling.optim.rule;

import dev.kindling.kernels.graph.Demand;
import dev.kindling.kernels.graph.Expectation;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.Whole;
import dev.kindling.kernels.graph.op.Perturb;
import dev.kindling.kernels.memory.Span;
import dev.kindling.kernels.random.HalfwordNormal;
import dev.kindling.kernels.random.StochasticRounding;
import dev.kindling.optim.objective.Loss;
import dev.kindling.optim.objective.Objective;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.UnaryOperator;

/**
 * Zeroth-order descent: forward passes alone, no gradients, no state.
 *
 * <pre>
 * g_j = (L(p + eps z_j) - L(p - eps z_j)) / (2 eps),  z_j standard normal, j = 1 .. directions
 * p = (1 - lr decay) p - lr / directions  sum_j g_j z_j
 * </pre>
 *
 * <p>MeZO (Malladi et al. 2023, 2305.17333, algorithms 1 and 2), but parameters are never perturbed
 * in place: in bf16 what a cycle of plus, minus and plus leaves behind is larger than an update.
 * One batch serves all directions. With {@code sparsity} s it is Sparse-MeZO (Liu et al. 2024,
 * 2402.15751): of each matrix only the 1 - s of smallest magnitude move, those at most the
 * threshold that the weights had at step 0; vectors always move. The thresholds are the only state:
 * {@code state/threshold/PARAMETER}, one number.
 *
 * @param lr constant in all published runs; 1e-6 and 1e-7 for whole models, 1e-4 for LoRA
 * @param eps half the distance of the two points; 1e-3 for whole models, 1e-2 for LoRA
 * @param directions per step; at a fixed number of forward passes more than 1 does not pay
 * @param sparsity share of each matrix that stays as it is, 0 for none
 * @param master whether matrices have an fp32 master; without, each is bf16 alone on a GPU, rounded
 *     at random so that updates far below its precision count in the mean. The CPU keeps fp32 with
 *     the same values.
 * @param objective what a step makes better; the loss of the training data if not said
 */
public record Mezo(
    double lr,
    double eps,
    int directions,
    double weightDecay,
    double sparsity,
    boolean master,
    Objective objective)
    implements Descent {

  /** Lowers the loss of the training data. */
  public Mezo(
      double lr, double eps, int directions, double weightDecay, double sparsity, boolean master) {
    this(lr, eps, directions, weightDecay, sparsity, master, new Loss());
  }

  public Mezo {
    new Expectation()
        .positive("lr", lr)
        .positive("eps", eps)
        .that(directions >= 1 && directions <= 1024, "directions", "1 to 1024", directions)
        .notNegative("weight_decay", weightDecay)
        .fraction("sparsity", sparsity)
        .orThrow();
  }

  public static Map<String, Object> defaults() {
    return Map.of(
        "eps",
        1e-3,
        "directions",
        1,
        "weightDecay",
        0.0,
        "sparsity",
        0.0,
        "master",
        false,
        "objective",
        new Loss());
  }

  /** The same rule with the file of its questions, if it asks any, in another place. */
  public Mezo withFile(UnaryOperator<String> place) {
    return with(objective.file().map(place).map(objective::asking).orElse(objective));
  }

  /** The same rule towards another objective. */
  public Mezo with(Objective other) {
    return new Mezo(lr, eps, directions, weightDecay, sparsity, master, other);
  }

  /** Whether a parameter moves at all. */
  public static boolean moves(Param p) {
    return !p.demand().equals(Demand.none());
  }

  /** Whether some elements of the parameter stay as they are. */
  public boolean masks(Param p) {
    return sparsity > 0 && moves(p) && p.shape().rank() == 2;
  }

  /** Whether the parameter is kept as bf16 numbers. */
  public boolean rounds(Param p) {
    return !master && moves(p) && p.shape().rank() == 2;
  }

  /** The mask threshold of a parameter, where it has one. Set before step 1. */
  public List<StateVariable> state(Param p) {
    return masks(p) ? List.of(new StateVariable("threshold", p, Shape.of(1))) : List.of();
  }

  /**
   * Writes the parameter beside itself.
   *
   * @param direction from 0
   * @return p + eps z, p - eps z
   * @throws PlanException for a parameter of which only some columns are trained
   */
  public List<Value> perturb(GraphBuilder b, Param p, long seed, int direction) {
    if (!(p.demand() instanceof Whole)) {
      throw new PlanException(
          "optimizer: mezo moves whole parameters, found " + p.demand() + " for " + p.name());
    }
    long key = HalfwordNormal.key(seed, p.name());
    return b.add(
        new Perturb(key, (float) eps, direction, masks(p)), inputs(b, p, List.of(b.master(p))));
  }

  /**
   * Writes the update of one parameter.
   *
   * @param projected fp32 [directions], slopes of the mean loss
   * @param scale fp32 [1], 0 to skip
   */
  public void update(GraphBuilder b, Param p, long seed, Value projected, Value scale) {
    b.add(
        new dev.kindling.kernels.graph.op.Mezo(
            HalfwordNormal.key(seed, p.name()),
            directions,
            p.decay() ? (float) weightDecay : 0f,
            masks(p),
            rounds(p) ? Optional.of(StochasticRounding.key(seed, p.name())) : Optional.empty()),
        inputs(b, p, List.of(b.master(p), projected, scale)));
  }

  private Value[] inputs(GraphBuilder b, Param p, List<Value> first) {
    List<Value> inputs = new ArrayList<>(first);
    state(p).forEach(threshold -> inputs.add(b.variable(threshold.variable())));
    inputs.add(b.step());
    return inputs.toArray(Value[]::new);
  }

  @Override
  public List<StepFill> stepFills() {
    return List.of(this::fillStep);
  }

  /**
   * Writes the scalars of one step.
   *
   * @param step number of the step, which picks its random numbers; skipped ones count
   */
  public void fillStep(Span stepBlock, long step, double lrFactor) {
    StepScalars.write(stepBlock, lr * lrFactor, 1.0, 1.0, 0.0, step);
  }
}
