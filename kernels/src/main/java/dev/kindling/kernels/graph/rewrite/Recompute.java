package dev.kindling.kernels.graph.rewrite;

import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.op.GatherColumns;
import dev.kindling.kernels.graph.op.LayerNorm;
import dev.kindling.kernels.graph.op.Op;
import dev.kindling.kernels.graph.op.ResidualLayerNorm;
import dev.kindling.kernels.graph.op.ResidualRmsNorm;
import dev.kindling.kernels.graph.op.RmsNorm;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Computes values of forward a second time, directly before the first gradient that reads them, so
 * that the first copy dies in forward.
 *
 * <pre>
 *   a = SwiGlu gate, up                a = SwiGlu gate, up
 *   d = Linear a                       d = Linear a
 *   ... forward, loss ...              ... forward, loss ...
 *                                      a' = SwiGlu gate, up
 *   dW = ... a ...                     dW = ... a' ...
 * </pre>
 *
 * A norm behind a residual sum that is kept is computed again as a norm alone. Equal operations on
 * equal inputs: where values are stored as they are computed, as on the CPU, gradients keep their
 * bits. Weights that follow from parameters are computed again at every level, and anew for each
 * reader, so that one is in memory at a time. Does not fire on a graph without a loss that writes
 * its own gradient, nor for column gathers, which {@link Schedule} moves into forward. Llama,
 * elements of one layer, bytes per token at width D and MLP width F: saves 2 (F + 2 D), moves 2 (3
 * F + 4 D) more.
 */
public final class Recompute implements Rewrite {
  /** What is computed a second time; each level includes those before it. */
  public enum Level {
    NONE,
    /** SwiGLU and GELU. */
    ACTIVATIONS,
    /** And outputs of norms. */
    ELEMENTS,
    /** Everything between the residual sums that the blocks of attention and MLP begin with. */
    BLOCKS
  }

  private final Level level;

  public Recompute(Level level) {
    this.level = level;
  }

  @Override
  public List<Node> apply(List<Node> nodes, Function<ValueType, Value> fresh) {
    ForwardValues forward = ForwardValues.of(nodes);
    if (forward.isEmpty()) {
      return nodes;
    }
    Map<Integer, Node> repeatable = forward.repeatable(level);
    if (repeatable.isEmpty()) {
      return nodes;
    }
    Pass pass = new Pass(repeatable, fresh);
    nodes.subList(0, forward.end()).forEach(pass.result::add);
    nodes.subList(forward.end(), nodes.size()).forEach(pass::read);
    return pass.result;
  }

  /** One walk over the gradients. */
  private static final class Pass {
    private final Map<Integer, Node> repeatable;
    private final Function<ValueType, Value> fresh;
    private final Map<Integer, Value> repeated = new HashMap<>();
    private final List<Node> result = new ArrayList<>();

    Pass(Map<Integer, Node> repeatable, Function<ValueType, Value> fresh) {
      this.repeatable = repeatable;
      this.fresh = fresh;
    }

    void read(Node node) {
      boolean moves = node.op() instanceof GatherColumns;
      List<Value> inputs = moves ? node.inputs() : node.inputs().stream().map(this::again).toList();
      result.add(new Node(node.index(), node.op(), inputs, node.outputs()));
    }

    private Value again(Value value) {
      Node node = repeatable.get(value.id());
      if (node == null) {
        return value;
      }
      if (ForwardValues.isWeight(node) || !repeated.containsKey(value.id())) {
        repeat(node);
      }
      return java.util.Objects.requireNonNull(repeated.get(value.id()));
    }

    private void repeat(Node node) {
      Op norm = normOfSum(node.op());
      boolean sumIsKept = norm != null && !repeatable.containsKey(node.output(0).id());
      List<Value> inputs = new ArrayList<>();
      List<Value> replaced = node.outputs();
      if (sumIsKept) {
        inputs.add(node.output(0));
        inputs.addAll(node.inputs().subList(2, node.inputs().size()));
        replaced = node.outputs().subList(1, node.outputs().size());
      } else {
        node.inputs().forEach(input -> inputs.add(again(input)));
      }
      List<Value> outputs = new ArrayList<>();
      for (Value old : replaced) {
        Value copy = fresh.apply(old.type());
        outputs.add(copy);
        repeated.put(old.id(), copy);
      }
      Op op = sumIsKept ? java.util.Objects.requireNonNull(norm) : node.op();
      result.add(new Node(node.index(), op, inputs, outputs));
    }
  }

  /** The norm that reads the sum, or null for another operation. */
  static @Nullable Op normOfSum(Op op) {
    if (op instanceof ResidualRmsNorm norm) {
      return new RmsNorm(norm.eps());
    }
    return op instanceof ResidualLayerNorm norm ? new LayerNorm(norm.eps()) : null;
  }
}
