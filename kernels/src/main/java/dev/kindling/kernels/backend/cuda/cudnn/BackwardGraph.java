package dev.kindling.kernels.backend.cuda.cudnn;

import static org.bytedeco.cuda.global.cudnn.CUDNN_DATA_BFLOAT16;
import static org.bytedeco.cuda.global.cudnn.CUDNN_POINTWISE_EXP;
import static org.bytedeco.cuda.global.cudnn.CUDNN_POINTWISE_IDENTITY;
import static org.bytedeco.cuda.global.cudnn.CUDNN_POINTWISE_MUL;
import static org.bytedeco.cuda.global.cudnn.CUDNN_POINTWISE_SUB;
import static org.bytedeco.cuda.global.cudnn.CUDNN_REDUCE_TENSOR_ADD;

import org.jspecify.annotations.Nullable;

/**
 * Gradients of q, k and v from that of o, as the operations that cuDNN fuses:
 *
 * <pre>
 *   D = rowsum(do * o)          P = exp(scores - lse)
 *   dv = P^T do                 dS = scale P * (do v^T - D)
 *   dk = dS^T q                 dq = dS k
 * </pre>
 *
 * Engines recognise the pattern, not the sense: k and v come transposed, what the tensor cores take
 * is bf16, and D and everything else in the workspace is dense. Other strides there are accepted
 * and give wrong gradients.
 */
final class BackwardGraph {
  /** Tensors of this graph that lie in the workspace of the caller. */
  static final String ROW_SUM = "row sum";

  /** The memory of k, named a second time. */
  static final String KEY_AGAIN = "k again";

  static final String QUERY_SUM = "dq sum";
  static final String KEY_PER_HEAD = "dk per head";
  static final String VALUE_PER_HEAD = "dv per head";

  private final AttentionLayout layout;
  private final BackwardForm form;
  private final OperationGraph graph = new OperationGraph();

  private BackwardGraph(AttentionLayout layout, BackwardForm form) {
    this.layout = layout;
    this.form = form;
  }

  static OperationGraph of(AttentionLayout layout, BackwardForm form) {
    BackwardGraph backward = new BackwardGraph(layout, form);
    backward.compose();
    return backward.graph;
  }

  private void compose() {
    int heads = layout.heads();
    int kvHeads = layout.kvHeads();
    AttentionLayout.RowStrides in = layout.forward();
    AttentionLayout.RowStrides out = layout.backward();
    long[] pairs = layout.pairDims();
    GraphTensor q = graph.bf16("q", layout.dims(heads), layout.strides(in.q()));
    GraphTensor k = keyRows();
    GraphTensor kTransposed = keyColumns(k);
    GraphTensor v =
        graph.bf16("v", layout.transposedDims(kvHeads), layout.transposedStrides(in.v()));
    GraphTensor o = graph.bf16("o", layout.dims(heads), layout.strides(in.o()));
    GraphTensor dO = graph.bf16("do", layout.dims(heads), layout.strides(out.o()));
    GraphTensor rowSum = rowSum(o, dO);

    GraphTensor p = probabilities(q, kTransposed);
    perHead("dv", VALUE_PER_HEAD, out.v(), transposedProbabilities(p), dO);

    GraphTensor dP = graph.matmul(dO, v, graph.virtual("do v", pairs));
    GraphTensor centred =
        graph.binary(CUDNN_POINTWISE_SUB, dP, rowSum, graph.virtual("centred", pairs));
    GraphTensor weighted =
        graph.binary(CUDNN_POINTWISE_MUL, centred, p, graph.virtual("weighted", pairs));
    GraphTensor dS =
        graph.binary(
            CUDNN_POINTWISE_MUL,
            weighted,
            graph.tensor("scale"),
            graph.virtual("ds", CUDNN_DATA_BFLOAT16, pairs));
    GraphTensor dSTransposed = graph.transposed("ds^T", CUDNN_DATA_BFLOAT16, dS);
    perHead("dk", KEY_PER_HEAD, out.k(), dSTransposed, q);
    queryGradient(dS, k == null ? byRows(kTransposed) : k);
  }

  private GraphTensor rowSum(GraphTensor o, GraphTensor dO) {
    GraphTensor product =
        graph.binary(
            CUDNN_POINTWISE_MUL, dO, o, graph.virtual("do o", layout.dims(layout.heads())));
    return graph.reduce(CUDNN_REDUCE_TENSOR_ADD, product, graph.fp32(ROW_SUM, layout.rowDims()));
  }

  private GraphTensor probabilities(GraphTensor q, GraphTensor k) {
    long[] pairs = layout.pairDims();
    GraphTensor lse = graph.fp32("lse", layout.rowDims());
    GraphTensor scores = graph.scores(layout, q, k);
    GraphTensor shifted =
        graph.binary(CUDNN_POINTWISE_SUB, scores, lse, graph.virtual("shifted", pairs));
    return graph.unary(CUDNN_POINTWISE_EXP, shifted, graph.virtual("p", pairs));
  }

  /** weights^T x; where several query heads share a key head, per query head and then summed. */
  private void perHead(
      String name, String perHeadName, long rowStride, GraphTensor weights, GraphTensor x) {
    long[] strides = layout.strides(rowStride);
    GraphTensor gradient = graph.bf16(name, layout.dims(layout.kvHeads()), strides);
    if (!layout.grouped()) {
      graph.matmul(weights, x, gradient);
      return;
    }
    long[] dims = layout.dims(layout.heads());
    GraphTensor perHead =
        form.group() == BackwardForm.GroupSum.BF16
            ? graph.bf16(perHeadName, dims, GraphTensor.dense(dims))
            : graph.fp32(perHeadName, dims);
    graph.matmul(weights, x, perHead);
    graph.reduce(CUDNN_REDUCE_TENSOR_ADD, perHead, gradient);
  }

  private @Nullable GraphTensor keyRows() {
    return form.key() == BackwardForm.KeyRows.FROM_COLUMNS
        ? null
        : graph.bf16(
            form.key() == BackwardForm.KeyRows.BOTH ? KEY_AGAIN : "k",
            layout.dims(layout.kvHeads()),
            layout.strides(layout.forward().k()));
  }

  private GraphTensor keyColumns(@Nullable GraphTensor rows) {
    if (form.key() == BackwardForm.KeyRows.FROM_ROWS && rows != null) {
      return graph.transposed("k^T", CUDNN_DATA_BFLOAT16, rows);
    }
    return graph.bf16(
        "k",
        layout.transposedDims(layout.kvHeads()),
        layout.transposedStrides(layout.forward().k()));
  }

  private GraphTensor byRows(GraphTensor kTransposed) {
    return graph.transposed("k by row", CUDNN_DATA_BFLOAT16, kTransposed);
  }

  private GraphTensor transposedProbabilities(GraphTensor p) {
    GraphTensor rounded =
        form.cast() == BackwardForm.Cast.EXCHANGE
            ? p
            : graph.unary(
                CUDNN_POINTWISE_IDENTITY,
                p,
                graph.virtual("p rounded", CUDNN_DATA_BFLOAT16, layout.pairDims()));
    return graph.transposed("p^T", CUDNN_DATA_BFLOAT16, rounded);
  }

  private void queryGradient(GraphTensor dS, GraphTensor k) {
    long[] dims = layout.dims(layout.heads());
    GraphTensor dQ = graph.bf16("dq", dims, layout.strides(layout.backward().q()));
    if (form.query() == BackwardForm.QueryGradient.DIRECT) {
      graph.matmul(dS, k, dQ);
      return;
    }
    GraphTensor sum =
        form.query() == BackwardForm.QueryGradient.VIRTUAL
            ? graph.virtual(QUERY_SUM, dims)
            : graph.fp32(QUERY_SUM, dims);
    graph.matmul(dS, k, sum);
    graph.unary(CUDNN_POINTWISE_IDENTITY, sum, dQ);
  }
}
