package dev.kindling.kernels.graph.rewrite;

import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.op.CrossEntropy;
import dev.kindling.kernels.graph.op.CrossEntropyWithGradient;
import dev.kindling.kernels.graph.op.Linear;
import dev.kindling.kernels.graph.op.LinearInputGradient;
import dev.kindling.kernels.graph.op.LinearWeightGradient;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Head, loss and the head's gradients over one chunk of rows after the other, so that logits of one
 * chunk alone are in memory.
 *
 * <pre>
 *   z = Linear x, W                        for each chunk c of rows
 *   loss, count, dz = CrossEntropy z         z  = Linear x[c], W
 *   ...                             becomes  loss[c], count[c], dz = CrossEntropy z, targets[c]
 *   dW += dz' x                              dW += dz' x[c]
 *   dx = dz W                                dx[c] = dz W
 *                                          loss, count = sums; dx = rows of dx[c]
 * </pre>
 *
 * Also a loss without gradient. The same products and the same rows: dx keeps its bits where a
 * product adds each element by itself; loss and dW are sums of sums, equal up to fp32 rounding.
 * Does not fire when the head has a bias, when somebody else reads the logits or their gradient, or
 * when dW or dx is a sum that is not complete yet. After Hsu et al. 2024 (2410.10989).
 */
public final class ChunkLoss implements Rewrite {
  /** Rows of a chunk are a multiple of this where there are as many: whole tiles of a product. */
  private static final int TILE = 128;

  private final int chunks;

  /**
   * @param chunks at least 1; fewer where the rows run out
   */
  public ChunkLoss(int chunks) {
    if (chunks < 1) {
      throw new PlanException("loss chunks: expected at least 1, found " + chunks);
    }
    this.chunks = chunks;
  }

  @Override
  public List<Node> apply(List<Node> nodes, Function<ValueType, Value> fresh) {
    Head head = chunks == 1 ? null : Head.of(nodes);
    int rows = head == null ? 1 : chunkRows(head.logits().shape().dim(0));
    if (head == null || rows >= head.logits().shape().dim(0)) {
      return nodes;
    }
    Set<Node> replaced = head.nodes();
    List<Node> result = new ArrayList<>();
    for (Node node : nodes) {
      if (node.equals(head.loss())) {
        result.addAll(new LossChunks(head, rows, fresh).nodes());
      } else if (!replaced.contains(node)) {
        result.add(node);
      }
    }
    return result;
  }

  private int chunkRows(int rows) {
    int equal = (rows + chunks - 1) / chunks;
    return equal < TILE ? equal : (equal + TILE - 1) / TILE * TILE;
  }

  /**
   * The nodes that become chunks.
   *
   * @param dWeight writes the weight's gradient, or null
   * @param dInput writes the gradient of x, or null
   */
  record Head(Node linear, Node loss, @Nullable Node dWeight, @Nullable Node dInput) {
    static @Nullable Head of(List<Node> nodes) {
      Node loss = null;
      for (Node node : nodes) {
        boolean inPlace = node.op() instanceof CrossEntropyWithGradient op && op.inPlace();
        if (inPlace || node.op() instanceof CrossEntropy) {
          if (loss != null) {
            return null;
          }
          loss = node;
        }
      }
      return loss == null ? null : around(nodes, loss);
    }

    private static @Nullable Head around(List<Node> nodes, Node loss) {
      Node linear = null;
      Node dWeight = null;
      Node dInput = null;
      Value logits = loss.input(0);
      for (Node node : nodes) {
        if (node.outputs().contains(logits)) {
          linear = node;
        } else if (node.inputs().contains(logits) && !node.equals(loss)) {
          return null;
        }
        if (loss.outputs().size() > 2 && node.inputs().contains(loss.output(2))) {
          if (dWeight == null && node.op() instanceof LinearWeightGradient) {
            dWeight = node;
          } else if (dInput == null && node.op() instanceof LinearInputGradient) {
            dInput = node;
          } else {
            return null;
          }
        }
      }
      return linear == null ? null : checked(nodes, new Head(linear, loss, dWeight, dInput));
    }

    private static @Nullable Head checked(List<Node> nodes, Head head) {
      boolean plain = head.linear.op() instanceof Linear linear && !linear.bias();
      Node dWeight = head.dWeight;
      Node dInput = head.dInput;
      boolean weightFits =
          dWeight == null
              || (dWeight.input(0).equals(head.x())
                  && (dWeight.inputs().size() == 2
                      || !writtenAfter(nodes, head.loss, dWeight.input(2))));
      boolean inputFits =
          dInput == null
              || (dInput.inputs().size() == 2
                  && plain
                  && dInput.input(1).equals(head.linear.input(1)));
      return plain && weightFits && inputFits ? head : null;
    }

    private static boolean writtenAfter(List<Node> nodes, Node node, Value value) {
      return nodes.subList(nodes.indexOf(node), nodes.size()).stream()
          .anyMatch(later -> later.outputs().contains(value));
    }

    Value x() {
      return linear.input(0);
    }

    Value logits() {
      return linear.output(0);
    }

    Set<Node> nodes() {
      Set<Node> all = new HashSet<>(List.of(linear, loss));
      if (dWeight != null) {
        all.add(dWeight);
      }
      if (dInput != null) {
        all.add(dInput);
      }
      return all;
    }
  }
}
