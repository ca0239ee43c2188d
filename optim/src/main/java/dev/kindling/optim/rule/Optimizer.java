package dev.kindling.optim.rule;

import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.memory.Span;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Which rule updates which parameter. A rule alone updates all of them. */
public sealed interface Optimizer extends Descent permits UpdateRule, Groups {

  /** Learning rate of the first rule before the schedule's factor: the one that logs show. */
  @Override
  double lr();

  /**
   * The rules, each once. Rule i has step block i ({@link GraphBuilder#step(int)}); the clip norm
   * in the first block bounds the norm of all gradients together.
   */
  List<UpdateRule> rules();

  @Override
  default List<StepFill> stepFills() {
    return rules().stream().map(rule -> (StepFill) rule::fillStep).toList();
  }

  /** The one of {@link #rules} that updates this parameter. */
  UpdateRule ruleOf(Param p);

  /**
   * Refuses trained parameters that do not fit.
   *
   * @throws PlanException with one line for each pattern that matches none of them
   */
  default void check(List<Param> trained) {}

  /**
   * Declares the state of one parameter and writes its update.
   *
   * @param gradient fp32 sum over tokens
   * @param scale fp32 [1]: clip factor over token count, 0 to skip
   */
  default void update(GraphBuilder b, Param p, Value gradient, Value scale) {
    UpdateRule rule = ruleOf(p);
    Map<String, Value> state = new HashMap<>();
    for (StateVariable variable : rule.state(p, gradient.type().shape())) {
      state.put(variable.suffix(), b.variable(variable.variable()));
    }
    rule.emit(b, p, gradient, state, scale, b.step(rules().indexOf(rule)));
  }

  /** Declares every step block, also one that no parameter needs: the host fills them all. */
  default void declareSteps(GraphBuilder b) {
    for (int i = 0; i < rules().size(); i++) {
      b.step(i);
    }
  }

  /**
   * Writes the step blocks of all rules, as {@link UpdateRule#fillStep}.
   *
   * @param rules what {@link #rules} gave, kept by the caller: a step leaves no garbage
   * @param blocks memory of block i at place i
   */
  static void fillSteps(List<UpdateRule> rules, List<Span> blocks, long update, double lrFactor) {
    for (int i = 0; i < rules.size(); i++) {
      rules.get(i).fillStep(blocks.get(i), update, lrFactor);
    }
  }
}
