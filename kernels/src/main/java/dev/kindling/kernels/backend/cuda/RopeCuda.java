package dev.kindling.kernels.backend.cuda;

import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.op.Rope;

/** Kernels of rope.cu. The angles of each (headDim, frequencies) lie in one table per device. */
final class RopeCuda {
  private static final int THREADS = 256;
  private static final int HEADS = 4;

  private RopeCuda() {}

  static void bind(Binding b, Node node) {
    Rope op = Binding.op(node, Rope.class);
    Operand x = b.in(node, 0);
    Operand y = b.out(node, 0);
    int heads = x.columns() / op.headDim();
    boolean wide =
        op.headDim() % 16 == 0
            && x.stride() % 8 == 0
            && y.stride() % 8 == 0
            && x.address() % 16 == 0
            && y.address() % 16 == 0;
    int rows = op.positions(x.rows());
    long table = b.ropeTable(op.headDim(), op.frequencies(), rows);
    long items =
        (long) x.rows() * ((heads + HEADS - 1) / HEADS) * (op.headDim() / 2 / (wide ? 8 : 1));
    b.launch("rope" + x.variant())
        .at(x.address(), 0, y.address(), 0, b.in(node, 1).address(), table)
        .at(b.fault("Rope: position of token", node.input(1), rows))
        .ints(x.rows(), heads, 0, op.headDim(), x.stride(), 0, y.stride(), 0)
        .ints(rows, op.inverse() ? 1 : 0, wide ? 1 : 0)
        .grid((items + THREADS - 1) / THREADS, THREADS)
        .ready();
  }
}
