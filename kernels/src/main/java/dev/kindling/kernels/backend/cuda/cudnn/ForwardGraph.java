package dev.kindling.kernels.backend.cuda.cudnn;

import static org.bytedeco.cuda.global.cudnn.CUDNN_DATA_BFLOAT16;
import static org.bytedeco.cuda.global.cudnn.CUDNN_POINTWISE_ADD;
import static org.bytedeco.cuda.global.cudnn.CUDNN_POINTWISE_DIV;
import static org.bytedeco.cuda.global.cudnn.CUDNN_POINTWISE_EXP;
import static org.bytedeco.cuda.global.cudnn.CUDNN_POINTWISE_LOG;
import static org.bytedeco.cuda.global.cudnn.CUDNN_POINTWISE_SUB;
import static org.bytedeco.cuda.global.cudnn.CUDNN_REDUCE_TENSOR_ADD;
import static org.bytedeco.cuda.global.cudnn.CUDNN_REDUCE_TENSOR_MAX;

/** o = softmax(scale q k^T) v and lse = max + ln sum, as the operations that cuDNN fuses. */
final class ForwardGraph {
  private ForwardGraph() {}

  static OperationGraph of(AttentionLayout layout) {
    OperationGraph graph = new OperationGraph();
    AttentionLayout.RowStrides rows = layout.forward();
    int heads = layout.heads();
    int kvHeads = layout.kvHeads();
    GraphTensor q = graph.bf16("q", layout.dims(heads), layout.strides(rows.q()));
    GraphTensor k =
        graph.bf16("k", layout.transposedDims(kvHeads), layout.transposedStrides(rows.k()));
    GraphTensor v = graph.bf16("v", layout.dims(kvHeads), layout.strides(rows.v()));
    GraphTensor o = graph.bf16("o", layout.dims(heads), layout.strides(rows.o()));
    GraphTensor lse = graph.fp32("lse", layout.rowDims());

    long[] pairs = layout.pairDims();
    long[] row = layout.rowDims();
    GraphTensor scores = graph.scores(layout, q, k);
    GraphTensor max = graph.reduce(CUDNN_REDUCE_TENSOR_MAX, scores, graph.virtual("max", row));
    GraphTensor shifted =
        graph.binary(CUDNN_POINTWISE_SUB, scores, max, graph.virtual("shifted", pairs));
    GraphTensor exp = graph.unary(CUDNN_POINTWISE_EXP, shifted, graph.virtual("exp", pairs));
    GraphTensor sum = graph.reduce(CUDNN_REDUCE_TENSOR_ADD, exp, graph.virtual("sum", row));
    GraphTensor log = graph.unary(CUDNN_POINTWISE_LOG, sum, graph.virtual("log", row));
    graph.binary(CUDNN_POINTWISE_ADD, max, log, lse);
    // The tensor cores take the probabilities in bf16.
    GraphTensor p =
        graph.binary(CUDNN_POINTWISE_DIV, exp, sum, graph.virtual("p", CUDNN_DATA_BFLOAT16, pairs));
    graph.matmul(p, v, o);
    return graph;
  }
}
