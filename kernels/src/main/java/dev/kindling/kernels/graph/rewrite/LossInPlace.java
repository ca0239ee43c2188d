package dev.kindling.kernels.graph.rewrite;

import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.op.CrossEntropy;
import dev.kindling.kernels.graph.op.CrossEntropyWithGradient;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;

/**
 * The loss writes its own gradient, over the logits when nobody else reads them: two reads and one
 * write of V per token instead of a stored softmax.
 *
 * <pre>
 *   logits   targets              logits   targets
 *       \     /                       \     /
 *    CrossEntropy      becomes   CrossEntropyWithGradient
 *      /      \                  /      |       \
 *   loss     count            loss    count   dlogits (over logits)
 * </pre>
 */
public final class LossInPlace implements Rewrite {
  @Override
  public List<Node> apply(List<Node> nodes, Function<ValueType, Value> fresh) {
    Readers readers = new Readers(nodes);
    List<Node> result = new ArrayList<>();
    for (Node node : nodes) {
      if (node.op() instanceof CrossEntropy) {
        Value logits = node.input(0);
        boolean inPlace = readers.count(logits) == 1 && !readers.isVariable(logits);
        List<Value> outputs = new ArrayList<>(node.outputs());
        outputs.add(fresh.apply(logits.type()));
        result.add(
            new Node(node.index(), new CrossEntropyWithGradient(inPlace), node.inputs(), outputs));
      } else {
        result.add(node);
      }
    }
    return result;
  }
}
