package dev.kindling.kernels.backend.cuda;

import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.op.AddLoss;

/** Kernels of loss.cu. */
final class LossCuda {
  private static final int THREADS = 512;

  /** Two blocks of a multiprocessor share its 228 KiB. */
  private static final int CACHE_BYTES = 64 << 10;

  private LossCuda() {}

  static void loss(Binding b, Node node) {
    bind(b, node, b.in(node, 0), "cross_entropy", 0);
  }

  static void addLoss(Binding b, Node node) {
    AddLoss op = Binding.op(node, AddLoss.class);
    Operand logits = b.in(node, 0);
    long losses = rows(b, node, logits, "cross_entropy", 0);
    long sums = b.out(node, 0).address() + 2L * op.place() * Float.BYTES;
    b.launch("loss_add")
        .at(losses, b.in(node, 1).address(), sums, b.out(node, 1).address())
        .ints(logits.rows(), logits.columns(), op.place() == 0 ? 1 : 0)
        .grid(1, 1024)
        .ready();
  }

  static void lossWithGradient(Binding b, Node node) {
    Operand logits = b.in(node, 0);
    Operand gradient = b.out(node, 2);
    if (logits.address() != gradient.address()) {
      ColumnCuda.copy(b, logits, gradient);
    }
    int row = logits.stride() * logits.element().bytes() / 16 * 16;
    bind(b, node, gradient, "cross_entropy_gradient", Math.min(row, CACHE_BYTES));
  }

  private static void bind(Binding b, Node node, Operand logits, String kernel, int shared) {
    long losses = rows(b, node, logits, kernel, shared);
    b.launch("loss_total")
        .at(losses, b.in(node, 1).address(), b.out(node, 0).address(), b.out(node, 1).address())
        .ints(logits.rows(), logits.columns())
        .grid(1, 1024)
        .ready();
  }

  /** Address of the losses of all rows. */
  private static long rows(Binding b, Node node, Operand logits, String kernel, int shared) {
    long targets = b.in(node, 1).address();
    long losses = b.scratch((long) logits.rows() * Float.BYTES);
    String name = kernel + logits.variant();
    if (shared > 0) {
      b.allowShared(name, shared);
    }
    b.launch(name)
        .at(logits.address(), targets, losses)
        .at(b.fault("CrossEntropy: target of row", node.input(1), logits.columns()))
        .ints(logits.columns(), logits.stride())
        .grid(logits.rows(), THREADS)
        .shared(shared)
        .ready();
    return losses;
  }
}
