package dev.kindling.kernels.backend.cuda;

import dev.kindling.kernels.backend.DeviceException;
import dev.kindling.kernels.backend.cuda.layout.Element;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.op.Mezo;
import dev.kindling.kernels.graph.op.Perturb;
import dev.kindling.kernels.graph.op.ProjectedGradient;

/** Kernels of perturb.cu. */
final class PerturbCuda {
  private static final int THREADS = 256;
  private static final int BLOCK_ELEMENTS = 8 * THREADS;

  private PerturbCuda() {}

  /**
   * A matrix is read as products read it, everything else as its master; so is a matrix with a mask
   * that has one, since the update compares that: beside a threshold a bf16 copy may lie on the
   * other side of it.
   */
  static void perturb(Binding b, Node node) {
    Perturb op = Binding.op(node, Perturb.class);
    Operand plus = b.out(node, 0);
    boolean matrix = node.input(0).shape().rank() == 2 && plus.element() == Element.BF16;
    boolean copied = matrix && (!op.masked() || b.isBf16Alone(node.input(0)));
    Operand p = copied ? b.copyOf(node.input(0)) : b.in(node, 0);
    b.launch("perturb" + p.variant() + plus.variant())
        .at(p.address(), threshold(b, node, op.masked()), last(b, node))
        .at(plus.address(), b.out(node, 1).address())
        .longs(p.elements(), op.key())
        .floats(op.eps())
        .ints(op.direction())
        .grid(blocks(p), THREADS)
        .ready();
  }

  /** From the host or the device, as the weight lies; nothing is computed. */
  static void upload(Binding b, Node node) {
    Operand to = b.out(node, 0);
    Operand from = to.element() == Element.BF16 ? b.copyOf(node.input(0)) : b.in(node, 0);
    from.expectElement(to, node);
    if (!b.dry()) {
      b.copy(from, to);
    }
  }

  static void mezo(Binding b, Node node) {
    Mezo op = Binding.op(node, Mezo.class);
    Value p = node.input(0);
    long elements = p.shape().elements();
    long threshold = threshold(b, node, op.masked());
    long blocks = (elements + BLOCK_ELEMENTS - 1) / BLOCK_ELEMENTS;
    if (op.roundingKey().isEmpty()) {
      b.launch("mezo_update")
          .at(b.in(node, 0).address(), b.copyAddress(p))
          .at(b.in(node, 1).address(), b.in(node, 2).address(), threshold, last(b, node))
          .longs(elements, op.key())
          .ints(op.directions())
          .floats(op.weightDecay())
          .grid(blocks, THREADS)
          .ready();
      return;
    }
    if (!b.isBf16Alone(p)) {
      throw new DeviceException(
          "cuda: " + op + ": expected a parameter in bf16 alone, found one with an fp32 master");
    }
    b.launch("mezo_update_rounded")
        .at(b.copyAddress(p))
        .at(b.in(node, 1).address(), b.in(node, 2).address(), threshold, last(b, node))
        .longs(elements, op.key(), op.roundingKey().get())
        .ints(op.directions())
        .floats(op.weightDecay())
        .grid(blocks, THREADS)
        .ready();
  }

  static void projectedGradient(Binding b, Node node) {
    ProjectedGradient op = Binding.op(node, ProjectedGradient.class);
    Launch launch = b.launch("projected_gradient").at(b.in(node, 0).address());
    node.outputs().forEach(output -> launch.at(b.at(output).address()));
    launch.ints(op.directions(), op.ranks()).floats(op.eps()).grid(1, 1).ready();
  }

  /** Address of the threshold that stands before the step block; 0 where nothing is masked. */
  private static long threshold(Binding b, Node node, boolean masked) {
    return masked ? b.in(node, node.inputs().size() - 2).address() : 0;
  }

  private static long last(Binding b, Node node) {
    return b.in(node, node.inputs().size() - 1).address();
  }

  private static long blocks(Operand operand) {
    return (operand.elements() + BLOCK_ELEMENTS - 1) / BLOCK_ELEMENTS;
  }
}
