package dev.kindling.kernels.testing;

import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.Op;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Runs a whole graph in fp64. */
public final class GraphOracle {
  private GraphOracle() {}

  /** Contents of all variables after a run; those not given start at zero. */
  public static Map<String, double[]> run(Graph graph, Map<String, double[]> given) {
    Map<Integer, double[]> values = new HashMap<>();
    Map<Integer, Variable> homes = new HashMap<>(graph.contents());
    Map<String, double[]> after = new HashMap<>();
    graph
        .contents()
        .forEach(
            (id, variable) -> {
              double[] zero = new double[(int) variable.type().shape().elements()];
              double[] content = given.getOrDefault(variable.name(), zero);
              values.put(id, content);
              after.put(variable.name(), content);
            });
    for (Node node : graph.nodes()) {
      List<double[]> inputs = new ArrayList<>();
      for (Value input : node.inputs()) {
        inputs.add(java.util.Objects.requireNonNull(values.get(input.id())));
      }
      List<double[]> outputs = Oracle.evaluate(node.op(), node.inputTypes(), inputs);
      for (int i = 0; i < outputs.size(); i++) {
        int id = node.output(i).id();
        values.put(id, outputs.get(i));
        int alias = node.op().alias(i);
        Variable home = alias == Op.OWN_MEMORY ? null : homes.get(node.input(alias).id());
        if (home != null) {
          homes.put(id, home);
          after.put(home.name(), outputs.get(i));
        }
      }
    }
    return after;
  }
}
