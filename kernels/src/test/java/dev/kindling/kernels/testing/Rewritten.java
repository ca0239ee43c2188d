package dev.kindling.kernels.testing;

import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.rewrite.GraphCheck;
import dev.kindling.kernels.graph.rewrite.Rewrite;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** A finished graph after one more pass. */
public final class Rewritten {
  private Rewritten() {}

  public static Graph of(Graph graph, Rewrite pass) {
    int[] next = {1 + largest(graph)};
    List<Node> nodes = new ArrayList<>();
    for (Node node : pass.apply(graph.nodes(), type -> new Value(next[0]++, type))) {
      nodes.add(node.at(nodes.size()));
    }
    Graph rewritten = new Graph(graph.variables(), graph.params(), graph.contents(), nodes);
    GraphCheck.check(rewritten);
    return rewritten;
  }

  private static int largest(Graph graph) {
    return graph.nodes().stream()
        .flatMap(node -> Stream.concat(node.inputs().stream(), node.outputs().stream()))
        .mapToInt(Value::id)
        .max()
        .orElse(0);
  }
}
