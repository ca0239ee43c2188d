package dev.kindling.kernels.graph.rewrite;

import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.op.Op;
import dev.kindling.kernels.graph.op.Upload;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;

/**
 * Lets readers of weights that lie elsewhere read copies, which are begun in batches, each before
 * the first use of the batch before it: a lane copies the next layer while products read this one.
 *
 * <pre>
 *   use w1; use w2; use w3; use w4
 *   becomes, in batches of 1:  u1; u2; use u1; u3; use u2; u4; use u3; use u4
 * </pre>
 *
 * Costs the memory of two batches, since a copy lives until its reader has run. Who writes a weight
 * in place reads it where it lies.
 *
 * @param weights ids of the first contents of the weights
 * @param batch copies of a batch: as many as a layer has, at least 1
 */
public record UploadsAhead(Set<Integer> weights, int batch) implements Rewrite {
  public UploadsAhead {
    weights = Set.copyOf(weights);
    if (batch < 1) {
      throw new PlanException("uploads of a batch: expected at least 1, found " + batch);
    }
  }

  @Override
  public List<Node> apply(List<Node> nodes, Function<ValueType, Value> fresh) {
    List<Node> uploads = new ArrayList<>();
    List<Integer> uses = new ArrayList<>();
    List<Node> readers = new ArrayList<>();
    for (int index = 0; index < nodes.size(); index++) {
      Node node = nodes.get(index);
      Map<Integer, Value> copies = new HashMap<>();
      for (int i = 0; i < node.inputs().size(); i++) {
        Value input = node.input(i);
        if (weights.contains(input.id()) && !writes(node, i) && !copies.containsKey(input.id())) {
          Value copy = fresh.apply(input.type());
          copies.put(input.id(), copy);
          uploads.add(new Node(0, new Upload(), List.of(input), List.of(copy)));
          uses.add(index);
        }
      }
      List<Value> inputs =
          node.inputs().stream().map(input -> copies.getOrDefault(input.id(), input)).toList();
      readers.add(new Node(node.index(), node.op(), inputs, node.outputs()));
    }
    Map<Integer, List<Node>> before = new HashMap<>();
    for (int i = 0; i < uploads.size(); i++) {
      int earlier = uses.get(Math.max(0, i / batch - 1) * batch);
      before.computeIfAbsent(earlier, use -> new ArrayList<>()).add(uploads.get(i));
    }
    List<Node> result = new ArrayList<>();
    for (int index = 0; index < readers.size(); index++) {
      result.addAll(before.getOrDefault(index, List.of()));
      result.add(readers.get(index));
    }
    return result;
  }

  private static boolean writes(Node node, int input) {
    for (int i = 0; i < node.outputs().size(); i++) {
      Op op = node.op();
      if (op.alias(i) == input) {
        return true;
      }
    }
    return false;
  }
}
