package dev.kindling.worker.step;

import dev.kindling.kernels.autodiff.Autodiff;
import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.rewrite.OverwriteFirst;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Stream;

/** The sums of a step: gradients, loss, tokens and votes, and what the host reads of them. */
final class GradientArena {
  private GradientArena() {}

  /** Every gradient, then loss sum, token count and stop votes: the whole arena. */
  static List<Value> arena(GraphBuilder b, Map<Param, Value> gradients) {
    List<Value> values = new ArrayList<>(gradients.values());
    values.addAll(scalars(b));
    return values;
  }

  /** Loss sum, token count, stop votes. */
  static List<Value> scalars(GraphBuilder b) {
    return Stream.of(Autodiff.LOSS_SUM, Autodiff.TOKEN_COUNT, StepGraphs.STOP_VOTES)
        .map(name -> b.variable(scalar(name)))
        .toList();
  }

  /** The same gradients, of several backward passes, as their variables hold them now. */
  static Map<Param, Value> contents(GraphBuilder b, Map<Param, Value> gradients) {
    Map<Param, Value> contents = new LinkedHashMap<>();
    gradients.forEach(
        (param, value) ->
            contents.put(
                param,
                b.variable(new Variable("grad/" + param.name(), value.type(), Role.GRADIENT))));
    return contents;
  }

  /** The first sum into each gradient, the loss and the token count becomes a write. */
  static void overwrite(GraphBuilder b, Map<Param, Value> gradients) {
    Set<String> names = new HashSet<>(Set.of(Autodiff.LOSS_SUM, Autodiff.TOKEN_COUNT));
    gradients.keySet().forEach(param -> names.add("grad/" + param.name()));
    Set<Integer> contents = new HashSet<>();
    b.graph()
        .contents()
        .forEach(
            (value, variable) -> {
              if (names.contains(variable.name())) {
                contents.add(value);
              }
            });
    b.rewrite(new OverwriteFirst(contents));
  }

  /** Parameters whose gradient the graph holds in the narrow precision of a device. */
  static Predicate<Param> narrow(GraphBuilder b) {
    Set<String> names = new HashSet<>();
    for (Variable variable : b.graph().variables()) {
      if (variable.role() == Role.FRESH_GRADIENT) {
        names.add(variable.name());
      }
    }
    return param -> names.contains("grad/" + param.name());
  }

  /**
   * @param sums loss, tokens and votes
   */
  static void outputs(GraphBuilder b, List<Value> sums, Value norm, Value scale) {
    b.output(StepGraphs.LOSS_SUM, sums.get(0));
    b.output(StepGraphs.TOKEN_COUNT, sums.get(1));
    b.output(StepGraphs.STOPS, sums.get(2));
    b.output(StepGraphs.GRAD_NORM, norm);
    b.output(StepGraphs.SCALE, scale);
  }

  static Variable scalar(String name) {
    return new Variable(name, new ValueType(Shape.of(1), DType.F32), Role.GRADIENT);
  }
}
