package dev.kindling.kernels.graph.rewrite;

import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.op.AllReduce;
import dev.kindling.kernels.graph.op.LinearWeightGradient;
import dev.kindling.kernels.graph.op.Op;
import dev.kindling.kernels.graph.op.ReduceScatter;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;

/**
 * Moves each all-reduce and reduce-scatter directly behind the node that writes the last of its
 * inputs: a communication lane then reduces the gradients of late layers while backward computes
 * those of early ones.
 *
 * <pre>
 *   dW2 += ...                        dW2 += ...
 *   dW1 += ...                        AllReduce dW2
 *   AllReduce dW2; AllReduce dW1      dW1 += ...; AllReduce dW1
 * </pre>
 *
 * They keep their order. One whose inputs are complete before those of its predecessor stands
 * behind that one, and so do the products that work for nobody else: the predecessor is under way
 * meanwhile.
 *
 * <pre>
 *   dW1 += ...                        dTable += ...
 *   dTable += ...                     AllReduce dTable
 *   AllReduce dTable; AllReduce dW1   dW1 += ...; AllReduce dW1
 * </pre>
 *
 * One that reads contents of variables alone stays where it is.
 */
public final class ReduceEarly implements Rewrite {
  @Override
  public List<Node> apply(List<Node> nodes, Function<ValueType, Value> fresh) {
    Map<Integer, Integer> writers = new HashMap<>();
    Map<Integer, List<Node>> behind = new HashMap<>();
    Set<Integer> moved = new HashSet<>();
    int predecessor = -1;
    for (Node node : nodes) {
      int place = node.index();
      int last = lastWriter(node, writers);
      if (reduces(node) && last >= 0) {
        place = Math.max(last, predecessor);
        List<Node> company = behind.computeIfAbsent(place, index -> new ArrayList<>());
        if (last < predecessor) {
          List<Node> products = productsFor(node, nodes, writers, predecessor);
          products.removeIf(product -> moved.contains(product.index()));
          company.addAll(products);
          products.forEach(product -> moved.add(product.index()));
        }
        company.add(node);
        moved.add(node.index());
        predecessor = place;
      }
      // What reads the output of a moved node waits for the node it now stands behind.
      for (Value output : node.outputs()) {
        writers.put(output.id(), place);
      }
    }
    List<Node> result = new ArrayList<>();
    for (Node node : nodes) {
      if (!moved.contains(node.index())) {
        result.add(node);
      }
      result.addAll(behind.getOrDefault(node.index(), List.of()));
    }
    return result;
  }

  private static boolean reduces(Node node) {
    return node.op() instanceof AllReduce || node.op() instanceof ReduceScatter;
  }

  /**
   * Products that can wait: up to the place behind which they move nobody but the reduction reads
   * their result, and nobody overwrites what they read.
   */
  private static List<Node> productsFor(
      Node reduction, List<Node> nodes, Map<Integer, Integer> writers, int place) {
    List<Node> products = new ArrayList<>();
    for (Value input : reduction.inputs()) {
      Integer writer = writers.get(input.id());
      Node product = writer == null ? reduction : nodes.get(writer);
      if (product.op() instanceof LinearWeightGradient
          && product.outputs().contains(input)
          && nodes.subList(product.index() + 1, place + 1).stream()
              .noneMatch(node -> node.inputs().contains(input) || overwrites(node, product))) {
        products.add(product);
      }
    }
    products.sort(Comparator.comparingInt(Node::index));
    return products;
  }

  private static boolean overwrites(Node node, Node product) {
    for (int i = 0; i < node.outputs().size(); i++) {
      int alias = node.op().alias(i);
      if (alias != Op.OWN_MEMORY && product.inputs().contains(node.input(alias))) {
        return true;
      }
    }
    return false;
  }

  private static int lastWriter(Node node, Map<Integer, Integer> writers) {
    return node.inputs().stream()
        .mapToInt(input -> writers.getOrDefault(input.id(), -1))
        .max()
        .orElse(-1);
  }
}
