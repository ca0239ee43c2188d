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
import java.util.Objects;

/** Runs a whole graph in fp64. */
public final class GraphOracle {
  /** What one rank holds. */
  private static final class Rank {
    private final Map<Integer, double[]> values = new HashMap<>();
    private final Map<Integer, Variable> homes;
    private final Map<String, double[]> after = new HashMap<>();

    Rank(Graph graph, Map<String, double[]> given) {
      homes = new HashMap<>(graph.contents());
      graph
          .contents()
          .forEach(
              (id, variable) -> {
                double[] zero = new double[(int) variable.type().shape().elements()];
                double[] content = given.getOrDefault(variable.name(), zero);
                values.put(id, content);
                after.put(variable.name(), content);
              });
    }

    List<double[]> inputs(Node node) {
      List<double[]> inputs = new ArrayList<>();
      for (Value input : node.inputs()) {
        inputs.add(Objects.requireNonNull(values.get(input.id())));
      }
      return inputs;
    }

    void store(Node node, List<double[]> outputs) {
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
  }

  private GraphOracle() {}

  /** Contents of all variables after a run; those not given start at zero. */
  public static Map<String, double[]> run(Graph graph, Map<String, double[]> given) {
    return run(graph, List.of(given)).get(0);
  }

  /** The same graph on several ranks, node by node together. */
  public static List<Map<String, double[]>> run(Graph graph, List<Map<String, double[]>> given) {
    List<Rank> ranks = given.stream().map(contents -> new Rank(graph, contents)).toList();
    for (Node node : graph.nodes()) {
      List<List<double[]>> inputs = ranks.stream().map(rank -> rank.inputs(node)).toList();
      List<List<double[]>> outputs = Oracle.evaluateRanks(node.op(), node.inputTypes(), inputs);
      for (int rank = 0; rank < ranks.size(); rank++) {
        ranks.get(rank).store(node, outputs.get(rank));
      }
    }
    return ranks.stream().map(rank -> rank.after).toList();
  }
}
