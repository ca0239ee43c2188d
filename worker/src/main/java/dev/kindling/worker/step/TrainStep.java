package dev.kindling.worker.step;

import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.optim.rule.Descent;
import dev.kindling.optim.rule.StateVariable;
import dev.kindling.worker.model.FirstValues;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.model.Projection;
import dev.kindling.worker.shard.Sharding;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The shape of a step: which programs it has, and which sentences they hold.
 *
 * <p>A step runs one of {@link #microSteps} for every micro-batch but the last and {@link #finish}
 * for the last.
 */
public sealed interface TrainStep permits StepGraphs, MezoStep {
  ModelFamily model();

  /** How the parameters of the model take part. */
  Projection projection();

  Descent descent();

  StepShape shape();

  Sharding sharding();

  /** The same sentences for a step of another shape. */
  TrainStep with(StepShape shape);

  /** The same sentences for a step that saves memory. */
  default TrainStep with(MemorySaving saving) {
    return with(shape().with(saving));
  }

  /** Whether backward reads what forward wrote, so that recomputing it can save memory. */
  boolean keepsActivations();

  /** One micro-batch that adds to what the step has summed up so far. */
  Graph accumulate();

  /** Programs of the micro-steps before the last, in order; the last one repeats. */
  List<Graph> microSteps();

  /** The last micro-batch, the exchange between ranks and the update. */
  Graph finish();

  /** What follows a logical shard that is not the rank's last one, in exact mode. */
  Graph stash(int level);

  /** Forward; loss sum and token count. */
  Graph evaluate();

  /** Working copies of the weights from the masters of all ranks. */
  Graph spread();

  /** One sequence at the two points of each direction, for an objective that the host finds. */
  default List<Graph> points() {
    return List.of();
  }

  /** The update alone, with slopes that the host gives; of a zeroth-order step only. */
  default Optional<Graph> replay() {
    return Optional.empty();
  }

  /** What is said between rounds; of local updates only. */
  default List<OuterSentence> sentences() {
    return List.of();
  }

  /** One program for each of {@link #sentences}. */
  default List<Graph> boundary() {
    return List.of();
  }

  /** Lets a program read copies of the weights that lie in memory of the host, if some do. */
  default void host(GraphBuilder builder) {}

  /** State that the step keeps of a parameter. */
  List<StateVariable> state(Param param);

  /** First values as the step keeps them. */
  default FirstValues first(FirstValues values) {
    return values;
  }

  /** After the first weights are there and before step 1. */
  default void begin(Memory memory, List<Param> params) {}

  /** Names of the outputs of {@link #finish} in the order of {@link StepOutcome}. */
  default List<String> outcome() {
    return List.of(
        StepGraphs.LOSS_SUM,
        StepGraphs.TOKEN_COUNT,
        StepGraphs.GRAD_NORM,
        StepGraphs.SCALE,
        StepGraphs.STOPS);
  }

  /**
   * All programs: those of {@link #microSteps}, finish, stash 0 to levels - 1, evaluate, spread,
   * {@link SequenceScore} where questions are asked, {@link #points}, {@link #replay} and {@link
   * #boundary}.
   */
  default List<Graph> programs() {
    List<Graph> programs = new ArrayList<>(microSteps());
    programs.add(finish());
    for (int level = 0; level < shape().levels(); level++) {
      programs.add(stash(level));
    }
    programs.add(evaluate());
    programs.add(spread());
    if (shape().scores()) {
      programs.add(SequenceScore.sentence(this));
    }
    programs.addAll(points());
    replay().ifPresent(programs::add);
    programs.addAll(boundary());
    return programs;
  }

  /** Every variable of every program, once, in order of first declaration. */
  static List<Variable> variables(List<Graph> graphs) {
    Map<String, Variable> byName = new LinkedHashMap<>();
    for (Graph graph : graphs) {
      for (Variable variable : graph.variables()) {
        Variable known = byName.putIfAbsent(variable.name(), variable);
        if (known != null && !known.equals(variable)) {
          throw new IllegalStateException("two variables named " + variable.name());
        }
      }
    }
    return List.copyOf(byName.values());
  }
}
