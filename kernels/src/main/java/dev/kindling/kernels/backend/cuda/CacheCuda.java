package dev.kindling.kernels.backend.cuda;

import dev.kindling.kernels.backend.DeviceException;
import dev.kindling.kernels.graph.AttentionShape;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.op.CachedAttention;

/** Kernels of cache.cu. */
final class CacheCuda {
  private static final int THREADS = 128;
  private static final int WRITE_THREADS = 256;
  private static final int WRITE_ELEMENTS = 2048;
  private static final int HEAD_DIM_MAX = 256;

  private CacheCuda() {}

  static void writeRows(Binding b, Node node) {
    Operand x = b.in(node, 0);
    Operand table = b.out(node, 0);
    b.launch("write_rows" + x.variant())
        .at(x.address(), b.in(node, 2).address(), table.address())
        .at(b.fault("WriteRows: place of token", node.input(2), table.rows()))
        .ints(x.rows(), x.columns(), table.rows(), x.stride())
        .grid((x.elements() + WRITE_ELEMENTS - 1) / WRITE_ELEMENTS, WRITE_THREADS)
        .ready();
  }

  static void attention(Binding b, Node node) {
    AttentionShape shape = Binding.op(node, CachedAttention.class).shape();
    if (shape.headDim() > HEAD_DIM_MAX) {
      throw new DeviceException(
          "cuda: CachedAttention: expected a head width of at most "
              + HEAD_DIM_MAX
              + ", found "
              + shape.headDim());
    }
    Operand q = b.in(node, 0);
    Operand o = b.out(node, 0);
    q.expectElement(o, node);
    int capacity = shape.sequence();
    int window = shape.hides() ? shape.window() : capacity;
    b.launch("cached_attention" + q.variant())
        .at(q.address(), b.in(node, 1).address(), b.in(node, 2).address())
        .at(b.in(node, 3).address(), o.address())
        .at(b.fault("CachedAttention: length of sequence", node.input(3), capacity + 1))
        .ints(shape.heads(), shape.kvHeads(), shape.headDim(), capacity, window)
        .ints(q.stride(), o.stride())
        .floats((float) (1.0 / Math.sqrt(shape.headDim())))
        .grid(q.rows(), shape.heads(), THREADS)
        .ready();
  }
}
