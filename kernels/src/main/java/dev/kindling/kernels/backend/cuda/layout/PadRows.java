package dev.kindling.kernels.backend.cuda.layout;

import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.op.Linear;
import java.util.List;

/**
 * Gives the rows of a product's output a stride of whole cache lines when its width is odd, such as
 * logits over 50257 tokens: products want rows that start on 16 bytes. Does not fire when a kernel
 * that writes or reads the matrix needs dense rows.
 */
final class PadRows {
  /** Bytes that a padded row stride is a multiple of. */
  static final int LINE = 128;

  private PadRows() {}

  static void apply(Graph graph, Storage storage) {
    for (Node node : graph.nodes()) {
      if (node.op() instanceof Linear) {
        Value y = node.output(0);
        int bytes = storage.element(y).bytes();
        int columns = y.shape().dim(1);
        if (columns * (long) bytes % Stored.ROW_ALIGNMENT != 0
            && !storage.isPlaced(y)
            && storage.variable(y) == null
            && storage.toleratesStride(List.of(y), null)) {
          int line = LINE / bytes;
          storage.pad(y, (columns + line - 1) / line * line);
        }
      }
    }
  }
}
