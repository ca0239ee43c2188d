package dev.kindling.kernels.backend.cuda;

import dev.kindling.kernels.backend.cuda.layout.Element;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.op.AdamDirection;
import dev.kindling.kernels.graph.op.Descend;
import dev.kindling.kernels.graph.op.Momentum;
import dev.kindling.kernels.graph.op.Normalize;
import dev.kindling.kernels.graph.op.WeightedSum;

/** Kernels of direction.cu. */
final class DirectionCuda {
  private static final int THREADS = 256;
  private static final int BLOCK_ELEMENTS = 2048;

  private DirectionCuda() {}

  static void momentum(Binding b, Node node) {
    Momentum op = Binding.op(node, Momentum.class);
    Operand gradient = b.in(node, 0);
    Operand direction = b.out(node, 0);
    flat(b, "momentum" + direction.variant(), direction)
        .at(gradient.address(), b.out(node, 1).address(), b.in(node, 2).address())
        .at(direction.address())
        .longs(direction.elements())
        .floats(op.momentum())
        .ints(op.nesterov() ? 1 : 0, narrow(gradient))
        .ready();
  }

  static void adam(Binding b, Node node) {
    AdamDirection op = Binding.op(node, AdamDirection.class);
    Operand direction = b.out(node, 0);
    flat(b, "adam_direction" + direction.variant(), direction)
        .at(b.in(node, 0).address(), b.out(node, 1).address(), b.out(node, 2).address())
        .at(b.in(node, 3).address(), b.in(node, 4).address(), direction.address())
        .longs(direction.elements())
        .floats(op.beta1(), op.beta2(), op.eps())
        .ready();
  }

  static void normalize(Binding b, Node node) {
    Operand x = b.in(node, 0);
    Operand y = b.out(node, 0);
    flat(b, "normalize" + y.variant(), y)
        .at(x.address(), b.in(node, 1).address(), y.address())
        .longs(y.elements())
        .floats(Binding.op(node, Normalize.class).least())
        .ints(narrow(x))
        .ready();
  }

  static void weightedSum(Binding b, Node node) {
    WeightedSum op = Binding.op(node, WeightedSum.class);
    Operand x = b.in(node, 0);
    Operand y = b.in(node, 1);
    Operand z = b.out(node, 0);
    flat(b, "weighted_sum" + z.variant(), z)
        .at(x.address(), y.address(), z.address())
        .longs(z.elements())
        .floats(op.a(), op.b())
        .ints(narrow(x), narrow(y))
        .ready();
  }

  static void descend(Binding b, Node node) {
    Descend op = Binding.op(node, Descend.class);
    Operand param = b.out(node, 0);
    Operand direction = b.in(node, 1);
    flat(b, "descend", param)
        .at(param.address(), direction.address(), b.copyAddress(node.input(0)))
        .at(b.in(node, 2).address(), b.in(node, 3).address())
        .longs(param.elements())
        .floats(op.factor(), op.weightDecay())
        .ints(narrow(direction))
        .ready();
  }

  private static int narrow(Operand operand) {
    return operand.element() == Element.BF16 ? 1 : 0;
  }

  private static Launch flat(Binding b, String kernel, Operand operand) {
    long blocks = (operand.elements() + BLOCK_ELEMENTS - 1) / BLOCK_ELEMENTS;
    return b.launch(kernel).grid(blocks, THREADS);
  }
}
