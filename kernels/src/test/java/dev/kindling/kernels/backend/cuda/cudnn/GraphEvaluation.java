package dev.kindling.kernels.backend.cuda.cudnn;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.function.DoubleBinaryOperator;
import org.bytedeco.cuda.global.cudnn;

/**
 * Evaluates a described graph in fp64, by the documented sense of each operation; types are
 * ignored.
 */
final class GraphEvaluation {
  private final Map<Long, double[]> memory = new HashMap<>();

  /**
   * Gives a tensor its memory: operands of one packed matrix get the same array and their offset.
   */
  void put(GraphTensor tensor, double[] elements, int offset) {
    memory.put(tensor.id(), elements);
    offsets.put(tensor.id(), offset);
  }

  private final Map<Long, Integer> offsets = new HashMap<>();

  double[] get(GraphTensor tensor) {
    return memory.get(tensor.id());
  }

  void run(OperationGraph graph) {
    for (GraphTensor tensor : graph.tensors()) {
      Float value = graph.values().get(tensor.id());
      if (value != null) {
        put(tensor, new double[] {value}, 0);
      } else if (!memory.containsKey(tensor.id())) {
        long last = 0;
        for (int axis = 0; axis < 4; axis++) {
          last += (tensor.dims()[axis] - 1) * tensor.strides()[axis];
        }
        double[] fresh = new double[(int) last + 1];
        Arrays.fill(fresh, Double.NaN);
        put(tensor, fresh, 0);
      }
    }
    graph.nodes().forEach(this::run);
  }

  private void run(OperationGraph.Node node) {
    if (node instanceof OperationGraph.Matmul matmul) {
      matmul(matmul);
    } else if (node instanceof OperationGraph.Reduction reduction) {
      reduce(reduction);
    } else if (node instanceof OperationGraph.Reshape reshape) {
      put(reshape.y(), memory.get(reshape.x().id()), offsets.get(reshape.x().id()));
    } else if (node instanceof OperationGraph.Pointwise pointwise) {
      each(pointwise.y(), index -> set(pointwise.y(), index, value(pointwise, index)));
    }
  }

  private interface EachIndex {
    void accept(long[] index);
  }

  private static void each(GraphTensor tensor, EachIndex action) {
    long[] d = tensor.dims();
    for (long a = 0; a < d[0]; a++) {
      for (long b = 0; b < d[1]; b++) {
        for (long c = 0; c < d[2]; c++) {
          for (long e = 0; e < d[3]; e++) {
            action.accept(new long[] {a, b, c, e});
          }
        }
      }
    }
  }

  private int at(GraphTensor tensor, long[] index, long headsOfIndex) {
    long at = offsets.get(tensor.id());
    for (int axis = 0; axis < 4; axis++) {
      long size = tensor.dims()[axis];
      long i = size == 1 ? 0 : index[axis];
      if (axis == 1 && size != headsOfIndex && size != 1) {
        i = i * size / headsOfIndex;
      }
      at += i * tensor.strides()[axis];
    }
    return (int) at;
  }

  private double get(GraphTensor tensor, long[] index, long headsOfIndex) {
    return memory.get(tensor.id())[at(tensor, index, headsOfIndex)];
  }

  private void set(GraphTensor tensor, long[] index, double value) {
    memory.get(tensor.id())[at(tensor, index, tensor.dims()[1])] = value;
  }

  private void matmul(OperationGraph.Matmul node) {
    long inner = node.a().dims()[3];
    assertSame(inner, node.b().dims()[2]);
    assertSame(node.c().dims()[2], node.a().dims()[2]);
    assertSame(node.c().dims()[3], node.b().dims()[3]);
    long heads = node.c().dims()[1];
    each(
        node.c(),
        i -> {
          double sum = 0;
          for (long x = 0; x < inner; x++) {
            sum +=
                get(node.a(), new long[] {i[0], i[1], i[2], x}, heads)
                    * get(node.b(), new long[] {i[0], i[1], x, i[3]}, heads);
          }
          set(node.c(), i, sum);
        });
  }

  private static void assertSame(long expected, long found) {
    if (expected != found) {
      throw new AssertionError("sizes " + expected + " and " + found + " do not fit");
    }
  }

  private void reduce(OperationGraph.Reduction node) {
    boolean max = node.operator() == cudnn.CUDNN_REDUCE_TENSOR_MAX;
    DoubleBinaryOperator fold = max ? Math::max : Double::sum;
    each(node.y(), i -> set(node.y(), i, max ? Double.NEGATIVE_INFINITY : 0));
    long heads = node.x().dims()[1];
    each(
        node.x(),
        i -> {
          int to = at(node.y(), i, heads);
          double[] y = memory.get(node.y().id());
          y[to] = fold.applyAsDouble(y[to], get(node.x(), i, heads));
        });
  }

  private double value(OperationGraph.Pointwise node, long[] i) {
    long heads = node.y().dims()[1];
    double x = node.mode() == cudnn.CUDNN_POINTWISE_GEN_INDEX ? 0 : get(node.x(), i, heads);
    double b = node.b() == null ? 0 : get(node.b(), i, heads);
    return switch (node.mode()) {
      case cudnn.CUDNN_POINTWISE_GEN_INDEX -> i[node.axis()];
      case cudnn.CUDNN_POINTWISE_CMP_GE -> x >= b ? 1 : 0;
      case cudnn.CUDNN_POINTWISE_BINARY_SELECT -> get(node.t(), i, heads) != 0 ? x : b;
      case cudnn.CUDNN_POINTWISE_ADD -> x + b;
      case cudnn.CUDNN_POINTWISE_SUB -> x - b;
      case cudnn.CUDNN_POINTWISE_MUL -> x * b;
      case cudnn.CUDNN_POINTWISE_DIV -> x / b;
      case cudnn.CUDNN_POINTWISE_EXP -> Math.exp(x);
      case cudnn.CUDNN_POINTWISE_LOG -> Math.log(x);
      case cudnn.CUDNN_POINTWISE_IDENTITY -> x;
      default -> throw new AssertionError("mode " + node.mode());
    };
  }
}
