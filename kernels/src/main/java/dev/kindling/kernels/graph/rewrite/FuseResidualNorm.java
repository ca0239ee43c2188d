package dev.kindling.kernels.graph.rewrite;

import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.op.Add;
import dev.kindling.kernels.graph.op.LayerNorm;
import dev.kindling.kernels.graph.op.Op;
import dev.kindling.kernels.graph.op.ResidualLayerNorm;
import dev.kindling.kernels.graph.op.ResidualRmsNorm;
import dev.kindling.kernels.graph.op.RmsNorm;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * One pass over memory for a residual and the norm that reads it.
 *
 * <pre>
 *   a   b                       a   b   g
 *    \ /                         \  |  /
 *    Add            becomes   ResidualRmsNorm
 *    / \    g                   /       \
 *   s  RmsNorm                 s         y
 *          \
 *           y
 * </pre>
 *
 * Likewise LayerNorm. The fused node stands where Add stood, so gain and bias must be contents of
 * variables. Does not fire when the norm reads anything else than a sum, nor twice for one sum, nor
 * for a norm of each head alone.
 */
public final class FuseResidualNorm implements Rewrite {
  @Override
  public List<Node> apply(List<Node> nodes, Function<ValueType, Value> fresh) {
    Readers readers = new Readers(nodes);
    Map<Integer, Node> normOfSum = new HashMap<>();
    Set<Node> fused = new HashSet<>();
    Map<Integer, Node> sums = new HashMap<>();
    for (Node node : nodes) {
      if (node.op() instanceof Add) {
        sums.put(node.output(0).id(), node);
      }
      boolean gainsReady = node.inputs().stream().skip(1).allMatch(readers::isVariable);
      if (fusedForm(node.op()) != null
          && gainsReady
          && isOfWholeRows(node)
          && sums.containsKey(node.input(0).id())
          && normOfSum.putIfAbsent(node.input(0).id(), node) == null) {
        fused.add(node);
      }
    }
    List<Node> result = new ArrayList<>();
    for (Node node : nodes) {
      Node norm = node.op() instanceof Add ? normOfSum.get(node.output(0).id()) : null;
      if (norm != null) {
        result.add(fuse(node, norm));
      } else if (!fused.contains(node)) {
        result.add(node);
      }
    }
    return result;
  }

  private static Node fuse(Node sum, Node norm) {
    List<Value> inputs = new ArrayList<>(sum.inputs());
    inputs.addAll(norm.inputs().subList(1, norm.inputs().size()));
    List<Value> outputs = new ArrayList<>(sum.outputs());
    outputs.addAll(norm.outputs());
    Op op = java.util.Objects.requireNonNull(fusedForm(norm.op()));
    return new Node(sum.index(), op, inputs, outputs);
  }

  private static boolean isOfWholeRows(Node norm) {
    return norm.input(1).shape().dim(0) == norm.input(0).shape().dim(1);
  }

  private static @Nullable Op fusedForm(Op op) {
    if (op instanceof RmsNorm norm) {
      return new ResidualRmsNorm(norm.eps());
    }
    return op instanceof LayerNorm norm ? new ResidualLayerNorm(norm.eps()) : null;
  }
}
