package dev.kindling.kernels.backend.cuda;

import dev.kindling.kernels.backend.cuda.layout.Element;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.op.Adafactor;
import dev.kindling.kernels.graph.op.FactoredMoments;

/** Kernels of factored.cu. */
final class FactoredCuda {
  private static final int THREADS = 256;
  private static final int STRIP = 16;
  private static final int PIECE = 16384;

  private FactoredCuda() {}

  static void moments(Binding b, Node node) {
    Operand gradient = b.in(node, 0);
    int rows = gradient.rows();
    int columns = gradient.columns();
    int strips = (rows + STRIP - 1) / STRIP;
    long partials = b.scratch((long) strips * columns * Float.BYTES);
    long scale = b.in(node, 3).address();
    long step = b.in(node, 4).address();
    b.launch("factored_rows")
        .at(gradient.address(), b.out(node, 0).address(), partials, scale, step)
        .ints(rows, columns, narrow(gradient))
        .floats(Binding.op(node, FactoredMoments.class).least())
        .grid(strips, THREADS)
        .ready();
    b.launch("factored_columns")
        .at(partials, b.out(node, 1).address(), scale, step)
        .ints(rows, columns, strips)
        .grid((columns + THREADS - 1) / THREADS, THREADS)
        .ready();
    b.launch("factored_mean")
        .at(b.out(node, 0).address(), b.out(node, 2).address())
        .ints(rows)
        .grid(1, 1024)
        .ready();
  }

  static void rms(Binding b, Node node) {
    Operand gradient = b.in(node, 0);
    long pieces = (gradient.elements() + PIECE - 1) / PIECE;
    long partials = b.scratch(pieces * Double.BYTES);
    b.launch("factored_squares")
        .at(gradient.address(), b.in(node, 1).address(), b.in(node, 2).address())
        .at(b.in(node, 3).address(), b.in(node, 4).address(), partials)
        .longs(gradient.elements())
        .ints(gradient.columns(), narrow(gradient))
        .grid(pieces, THREADS)
        .ready();
    b.launch("factored_rms")
        .at(partials, b.out(node, 0).address())
        .longs(gradient.elements())
        .ints(Math.toIntExact(pieces))
        .grid(1, 1024)
        .ready();
  }

  static void update(Binding b, Node node) {
    Adafactor op = Binding.op(node, Adafactor.class);
    int last = node.inputs().size() - 1;
    Operand param = b.out(node, 0);
    Operand gradient = b.in(node, 1);
    b.launch("adafactor")
        .at(param.address(), gradient.address(), b.copyAddress(node.input(0)))
        .at(b.in(node, 2).address(), b.in(node, 3).address(), b.in(node, 4).address())
        .at(b.in(node, 5).address(), op.relative() ? b.in(node, 6).address() : 0)
        .at(b.in(node, last - 1).address(), b.in(node, last).address())
        .longs(param.elements())
        .ints(gradient.columns(), narrow(gradient))
        .floats(op.clip(), op.weightDecay(), op.leastSize())
        .grid((param.elements() + PIECE - 1) / PIECE, THREADS)
        .ready();
  }

  private static int narrow(Operand operand) {
    return operand.element() == Element.BF16 ? 1 : 0;
  }
}
