package dev.kindling.kernels.backend.cuda.layout;

import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.op.ConcatColumns;
import dev.kindling.kernels.graph.op.SplitColumns;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Which content each column of a matrix has, whatever the value is called: splitting and joining
 * columns makes no new content. One label per column, one for a value of another rank.
 */
final class Origins {
  private final Map<Integer, long[]> origins = new HashMap<>();

  Origins(Graph graph) {
    for (Node node : graph.nodes()) {
      if (node.op() instanceof SplitColumns) {
        cut(of(node.input(0)), node.outputs());
      } else if (node.op() instanceof ConcatColumns) {
        origins.put(node.output(0).id(), joined(node));
      }
    }
  }

  long[] of(Value value) {
    return origins.computeIfAbsent(value.id(), id -> own(value));
  }

  private static long[] own(Value value) {
    long[] columns = new long[value.shape().rank() == 2 ? value.shape().dim(1) : 1];
    Arrays.setAll(columns, column -> (value.id() + 1L) << 32 | column);
    return columns;
  }

  private void cut(long[] whole, List<Value> pieces) {
    int column = 0;
    for (Value piece : pieces) {
      int width = piece.shape().dim(1);
      origins.put(piece.id(), Arrays.copyOfRange(whole, column, column + width));
      column += width;
    }
  }

  private long[] joined(Node node) {
    long[] whole = new long[node.output(0).shape().dim(1)];
    int column = 0;
    for (Value piece : node.inputs()) {
      long[] part = of(piece);
      System.arraycopy(part, 0, whole, column, part.length);
      column += part.length;
    }
    return whole;
  }
}
