package dev.kindling.worker.step;

import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.Whole;
import dev.kindling.kernels.memory.Span;
import dev.kindling.optim.rule.StateVariable;
import dev.kindling.worker.model.FirstValues;
import dev.kindling.worker.model.Nf4Weight;
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
  /** First values that follow from a whole matrix are far smaller: they come in one piece. */
  private static final long PIECE_BYTES = 256L << 20;

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

  /** Writes a rank's part of a parameter in pieces: a table may be larger than a host's span. */
  static void fill(Held held, Param param, FirstValues first, Memory memory) {
    long bytes = held.elements() * Float.BYTES;
    try (Span piece = Span.allocate(Math.min(bytes, PIECE_BYTES))) {
      for (long at = 0; at < bytes; at += PIECE_BYTES) {
        Span part = piece.slice(0, Math.min(bytes - at, PIECE_BYTES));
        first.fill(param, held.from() + at / Float.BYTES, part);
        memory.publish(held.name(), at, part);
      }
    }
    memory.release(held.name());
  }

  /** Packs a matrix that is frozen; every rank holds all of it. */
  static void fill(Nf4Weight weight, FirstValues first, Memory memory) {
    List<String> names = weight.variables().stream().map(Variable::name).toList();
    weight.write(first, names.stream().map(memory::span).toList());
    for (String name : names) {
      memory.publish(name);
      memory.release(name);
    }
  }

  private Held held(String name, Param param, Shape whole) {
    Variable stored = Objects.requireNonNull(variables.get(name));
    return graphs.sharding().held(param, whole, stored, rank);
  }
}
