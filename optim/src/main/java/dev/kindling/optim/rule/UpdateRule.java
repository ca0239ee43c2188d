package dev.kindling.optim.rule;

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
 * An optimizer: its hyperparameters, the state it keeps for a parameter, and the update as ops.
 *
 * <p>Everything that varies with the step lives in the step block (see {@link #fillStep}), so one
 * compiled program serves all steps. Gradients arrive as sums over tokens; {@code scale} carries
 * the division by the token count and the clip factor, and a scale of exactly 0 means that the step
 * is skipped: parameters and state keep their bits.
 */
public sealed interface UpdateRule extends Optimizer
    permits Adafactor, AdamMini, Apollo, ApolloMini, ElementRule, Galore, Muon {

  /** Learning rate before the schedule's factor. */
  @Override
  double lr();

  /**
   * This rule alone, or with those that it hands parameters to.
   *
   * <p>A rule for matrices lists the rule of everything else behind itself.
   */
  @Override
  default List<UpdateRule> rules() {
    return List.of(this);
  }

  @Override
  default UpdateRule ruleOf(Param p) {
    return this;
  }

  /** Refuses a rule for matrices where all that is trained would go to the rule of the rest. */
  @Override
  default void check(List<Param> trained) {
    if (!trained.isEmpty() && trained.stream().noneMatch(p -> ruleOf(p).equals(this))) {
      throw new PlanException(
          "optimizer.type: expected a rule for what is trained, "
              + trained.get(0).name()
              + " first, found one for hidden matrices, of which none is trained");
    }
  }

  /**
   * Decay coefficient of parameters with {@link Param#decay}: the matrices, not gains or biases.
   */
  double weightDecay();

  /** Upper bound of the global gradient norm, 0 for none. */
  double clipNorm();

  /**
   * State of a trained parameter, in order. All of it starts as zero.
   *
   * @param gradient shape of its gradient: that of the parameter, or of the demanded columns
   */
  List<StateVariable> state(Param p, Shape gradient);

  /**
   * Writes the update of one parameter.
   *
   * @param p the parameter
   * @param gradient fp32 sum over tokens, in the shape of the demand
   * @param state the current values of {@link #state}, by suffix
   * @param scale fp32 [1]: clip factor over token count, 0 to skip
   * @param step the step block
   */
  void emit(
      GraphBuilder b, Param p, Value gradient, Map<String, Value> state, Value scale, Value step);

  /**
   * Writes the scalars of one step into the step block. Learning rate and bias corrections are
   * computed in double and rounded once.
   *
   * @param stepBlock memory of the step block, fp32, one element for each {@code StepScalar}
   * @param update number of this update, from 1. Steps that were skipped do not count, because the
   *     moments that the bias corrections belong to have seen no gradient. The step right after a
   *     skipped one still counts it: its block is filled before a device has told the outcome. The
   *     schedule's factor goes on with the step number of the loop.
   * @param lrFactor the schedule's factor
   */
  void fillStep(Span stepBlock, long update, double lrFactor);

  /**
   * Why ranks cannot keep pieces of matrices and of this rule's state, as the words behind "0
   * with"; empty where they can.
   */
  default Optional<String> obstacleToPieces() {
    return Optional.empty();
  }

  /** How this parameter is stored; what is not fp32 alone this rule rounds. */
  default WeightStorage storage(Param p) {
    return WeightStorage.FP32;
  }

  /**
   * Bytes of the state of a parameter on a device with a narrow precision, without the padding of
   * the arena.
   */
  default long stateBytes(Param p, Shape gradient) {
    return state(p, gradient).stream().mapToLong(StateVariable::bytes).sum();
  }
}
