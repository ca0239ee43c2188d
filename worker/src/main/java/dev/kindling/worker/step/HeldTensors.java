package dev.kindling.worker.step;

import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.Whole;
import dev.kindling.optim.rule.StateVariable;
import dev.kindling.worker.shard.Held;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * What a rank holds of parameters and optimizer state.
 *
 * @param variables of all programs, by name
 */
record HeldTensors(TrainStep graphs, Map<String, Variable> variables, int rank) {

  /** Those that an update changes; of trained columns their delta. */
  static List<Param> trained(List<Param> params) {
    return params.stream().filter(param -> param.demand() instanceof Whole).toList();
  }

  List<Held> of(List<Param> params) {
    return params.stream().map(param -> held(param.name(), param, param.shape())).toList();
  }

  /** Parameter by parameter. */
  List<Held> state(List<Param> params) {
    List<Held> state = new ArrayList<>();
    for (Param param : trained(params)) {
      for (StateVariable variable : graphs.state(param)) {
        state.add(held(variable.name(), param, variable.type().shape()));
      }
    }
    return state;
  }

  private Held held(String name, Param param, Shape whole) {
    Variable stored = Objects.requireNonNull(variables.get(name));
    return graphs.sharding().held(param, whole, stored, rank);
  }
}
