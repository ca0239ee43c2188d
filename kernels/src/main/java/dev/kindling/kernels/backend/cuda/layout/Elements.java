package dev.kindling.kernels.backend.cuda.layout;

import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.PassingGradients;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.op.AllGather;
import dev.kindling.kernels.graph.op.Linear;
import dev.kindling.kernels.graph.op.Op;
import dev.kindling.kernels.graph.op.Perturb;
import dev.kindling.kernels.graph.op.ReduceScatter;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Which type each value is stored in. */
final class Elements {
  private Elements() {}

  /** Value id to element type, for every value that the graph reads or writes. */
  static Map<Integer, Element> of(Graph graph, Precision precision) {
    Map<Integer, Element> elements = new HashMap<>();
    boolean narrow = precision == Precision.BF16;
    graph
        .contents()
        .forEach(
            (value, variable) -> {
              if (narrow && variable.role().mayBeNarrow()) {
                elements.put(value, Element.BF16);
              }
            });
    Set<Integer> passing = narrow ? PassingGradients.of(graph) : Set.of();
    for (Node node : graph.nodes()) {
      node.inputs().forEach(input -> elements.putIfAbsent(input.id(), wide(input)));
      for (int i = 0; i < node.outputs().size(); i++) {
        boolean copies =
            passing.contains(node.output(i).id()) || (narrow && gathersMaster(graph, node));
        elements.put(
            node.output(i).id(), copies ? Element.BF16 : output(node, i, precision, elements));
      }
    }
    if (narrow) {
      biases(graph, elements);
    }
    return elements;
  }

  /** A bias that a node wrote is as narrow as the copy of a parameter that a product would read. */
  private static void biases(Graph graph, Map<Integer, Element> elements) {
    Set<Integer> perturbed = new HashSet<>();
    for (Node node : graph.nodes()) {
      if (node.op() instanceof Perturb) {
        node.outputs().forEach(output -> perturbed.add(output.id()));
      }
      if (node.op() instanceof Linear linear
          && linear.bias()
          && perturbed.contains(node.input(2).id())) {
        elements.put(node.input(2).id(), Element.BF16);
      }
    }
  }

  /** A gather before a product writes what the product reads: pieces are narrowed on the way. */
  private static boolean gathersMaster(Graph graph, Node node) {
    return node.op() instanceof AllGather
        && Adjacency.content(graph, node.input(0), Role.SHARD) != null;
  }

  private static Element output(
      Node node, int index, Precision precision, Map<Integer, Element> elements) {
    int alias = node.op().alias(index);
    if (alias != Op.OWN_MEMORY) {
      return elements.getOrDefault(node.input(alias).id(), wide(node.input(alias)));
    }
    Value output = node.output(index);
    if (node.op() instanceof ReduceScatter) {
      // A flat piece of a narrow matrix is as narrow, though it has no rows.
      return elements.getOrDefault(node.input(0).id(), wide(output));
    }
    boolean matrix = output.type().dtype() == DType.F32 && output.shape().rank() >= 2;
    OpStorage.Outputs rule = OpStorage.of(node.op()).output(index);
    if (!matrix || precision == Precision.FP32 || rule == OpStorage.Outputs.FP32) {
      return wide(output);
    }
    if (rule == OpStorage.Outputs.ACTIVATION) {
      return Element.BF16;
    }
    return allNarrow(node.inputs(), elements) ? Element.BF16 : Element.F32;
  }

  private static boolean allNarrow(List<Value> inputs, Map<Integer, Element> elements) {
    return inputs.stream().allMatch(input -> elements.get(input.id()) == Element.BF16);
  }

  private static Element wide(Value value) {
    return value.type().dtype() == DType.I32 ? Element.I32 : Element.F32;
  }
}
