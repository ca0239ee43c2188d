package dev.kindling.kernels.backend.cuda.cudnn;

import static org.bytedeco.cuda.global.cudnn.CUDNN_DATA_BFLOAT16;
import static org.bytedeco.cuda.global.cudnn.CUDNN_DATA_BOOLEAN;
import static org.bytedeco.cuda.global.cudnn.CUDNN_DATA_FLOAT;
import static org.bytedeco.cuda.global.cudnn.CUDNN_DATA_INT32;
import static org.bytedeco.cuda.global.cudnn.CUDNN_POINTWISE_BINARY_SELECT;
import static org.bytedeco.cuda.global.cudnn.CUDNN_POINTWISE_CMP_GE;
import static org.bytedeco.cuda.global.cudnn.CUDNN_POINTWISE_GEN_INDEX;
import static org.bytedeco.cuda.global.cudnn.CUDNN_POINTWISE_MUL;

import dev.kindling.kernels.backend.cuda.cudnn.GraphTensor.Place;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Describes a graph of operations in the order in which they are added; knows no native library.
 */
final class OperationGraph {
  /** One operation: reads tensors, writes one. */
  sealed interface Node permits Matmul, Pointwise, Reduction, Reshape {}

  /** c = a b over the last two axes; a head of b serves several heads of a. */
  record Matmul(GraphTensor a, GraphTensor b, GraphTensor c) implements Node {}

  /**
   * y = mode(x, b, t), element by element; axes of size 1 are repeated.
   *
   * @param math the cudnnDataType_t that it computes in
   * @param axis of GEN_INDEX, otherwise -1
   */
  record Pointwise(
      int mode,
      int math,
      int axis,
      GraphTensor x,
      @Nullable GraphTensor b,
      @Nullable GraphTensor t,
      GraphTensor y)
      implements Node {}

  /** y = x summed (or maximum) over the axes that are shorter in y; heads in groups. */
  record Reduction(int operator, GraphTensor x, GraphTensor y) implements Node {}

  /** y is the memory of x seen with other sizes and strides. */
  record Reshape(GraphTensor x, GraphTensor y) implements Node {}

  private final List<GraphTensor> tensors = new ArrayList<>();
  private final List<Node> nodes = new ArrayList<>();
  private final Map<Long, Float> values = new LinkedHashMap<>();

  List<GraphTensor> tensors() {
    return List.copyOf(tensors);
  }

  List<Node> nodes() {
    return List.copyOf(nodes);
  }

  /** Numbers in host memory, by tensor id. */
  Map<Long, Float> values() {
    return values;
  }

  GraphTensor tensor(String name) {
    return tensors.stream().filter(t -> t.name().equals(name)).findFirst().orElseThrow();
  }

  private GraphTensor add(String name, int type, long[] dims, long[] strides, Place place) {
    GraphTensor tensor = new GraphTensor(tensors.size() + 1L, name, type, dims, strides, place);
    tensors.add(tensor);
    return tensor;
  }

  GraphTensor bf16(String name, long[] dims, long[] strides) {
    return add(name, CUDNN_DATA_BFLOAT16, dims, strides, Place.MEMORY);
  }

  GraphTensor fp32(String name, long[] dims) {
    return add(name, CUDNN_DATA_FLOAT, dims, GraphTensor.dense(dims), Place.MEMORY);
  }

  GraphTensor virtual(String name, int type, long[] dims) {
    return add(name, type, dims, GraphTensor.dense(dims), Place.VIRTUAL);
  }

  GraphTensor virtual(String name, long[] dims) {
    return virtual(name, CUDNN_DATA_FLOAT, dims);
  }

  GraphTensor value(String name, float value) {
    long[] one = {1, 1, 1, 1};
    GraphTensor tensor = add(name, CUDNN_DATA_FLOAT, one, one.clone(), Place.VALUE);
    values.put(tensor.id(), value);
    return tensor;
  }

  GraphTensor matmul(GraphTensor a, GraphTensor b, GraphTensor c) {
    nodes.add(new Matmul(a, b, c));
    return c;
  }

  GraphTensor unary(int mode, GraphTensor x, GraphTensor y) {
    nodes.add(new Pointwise(mode, CUDNN_DATA_FLOAT, -1, x, null, null, y));
    return y;
  }

  GraphTensor binary(int mode, GraphTensor x, GraphTensor b, GraphTensor y) {
    nodes.add(new Pointwise(mode, CUDNN_DATA_FLOAT, -1, x, b, null, y));
    return y;
  }

  GraphTensor reduce(int operator, GraphTensor x, GraphTensor y) {
    nodes.add(new Reduction(operator, x, y));
    return y;
  }

  /** Last two axes exchanged by exchanging strides; the result is virtual. */
  GraphTensor transposed(String name, int type, GraphTensor x) {
    long[] d = x.dims();
    long[] s = x.strides();
    GraphTensor y =
        add(
            name,
            type,
            new long[] {d[0], d[1], d[3], d[2]},
            new long[] {s[0], s[1], s[3], s[2]},
            Place.VIRTUAL);
    nodes.add(new Reshape(x, y));
    return y;
  }

  /** Scores of every pair, scaled, -infinity where the key comes after the query. */
  GraphTensor scores(AttentionLayout layout, GraphTensor q, GraphTensor kTransposed) {
    long[] pairs = layout.pairDims();
    GraphTensor scale = value("scale", (float) (1 / Math.sqrt(layout.headDim())));
    GraphTensor never = value("minus infinity", Float.NEGATIVE_INFINITY);
    GraphTensor product = matmul(q, kTransposed, virtual("q k", pairs));
    GraphTensor scaled = binary(CUDNN_POINTWISE_MUL, product, scale, virtual("scaled", pairs));
    GraphTensor row = index("row", 2, scaled);
    GraphTensor column = index("column", 3, scaled);
    GraphTensor visible = virtual("visible", CUDNN_DATA_BOOLEAN, pairs);
    nodes.add(
        new Pointwise(CUDNN_POINTWISE_CMP_GE, CUDNN_DATA_BOOLEAN, -1, row, column, null, visible));
    GraphTensor masked = virtual("masked", pairs);
    nodes.add(
        new Pointwise(
            CUDNN_POINTWISE_BINARY_SELECT, CUDNN_DATA_FLOAT, -1, scaled, never, visible, masked));
    return masked;
  }

  private GraphTensor index(String name, int axis, GraphTensor like) {
    GraphTensor index = virtual(name, CUDNN_DATA_INT32, like.dims());
    nodes.add(
        new Pointwise(CUDNN_POINTWISE_GEN_INDEX, CUDNN_DATA_INT32, axis, like, null, null, index));
    return index;
  }
}
