package dev.kindling.kernels.backend.cuda;

import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.op.RandomNormal;

/** Kernels of random.cu. */
final class RandomCuda {
  private static final int THREADS = 256;

  private RandomCuda() {}

  static void normal(Binding b, Node node) {
    Operand out = b.out(node, 0);
    b.launch("random_normal" + out.variant())
        .at(b.in(node, 0).address(), out.address())
        .longs(out.elements(), Binding.op(node, RandomNormal.class).key())
        .grid((out.elements() + 2 * THREADS - 1) / (2 * THREADS), THREADS)
        .ready();
  }
}
