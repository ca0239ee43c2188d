package dev.kindling.kernels.backend.cuda;

import dev.kindling.kernels.backend.DeviceException;
import dev.kindling.kernels.backend.cuda.layout.Element;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.op.Dropout;
import dev.kindling.kernels.graph.op.Magnitude;
import dev.kindling.kernels.graph.op.MaskedGradient;
import dev.kindling.kernels.graph.op.MaskedWeight;
import dev.kindling.kernels.graph.op.RowNorms;
import dev.kindling.kernels.graph.op.Scale;
import dev.kindling.kernels.graph.op.ScatterColumns;
import dev.kindling.kernels.graph.op.WeightLayout;

/** Kernels of adapter.cu. */
final class AdapterCuda {
  private static final int THREADS = 256;
  private static final int BLOCK_ELEMENTS = 4096;

  private AdapterCuda() {}

  static void scale(Binding b, Node node) {
    Operand x = b.in(node, 0);
    Operand y = b.out(node, 0);
    x.expectElement(y, node);
    b.launch("scale" + x.variant())
        .at(x.address(), y.address())
        .ints(x.rows(), x.columns(), x.stride(), y.stride())
        .floats(Binding.op(node, Scale.class).factor())
        .grid(blocks(x), THREADS)
        .ready();
  }

  static void dropout(Binding b, Node node) {
    Dropout op = Binding.op(node, Dropout.class);
    Operand x = b.in(node, 0);
    Operand y = b.out(node, 0);
    x.expectElement(y, node);
    b.launch("dropout" + x.variant())
        .at(x.address(), y.address(), b.in(node, 1).address())
        .longs(op.key())
        .ints(x.rows(), x.columns(), x.stride(), y.stride(), (int) op.threshold())
        .floats(op.gain())
        .grid(blocks(x), THREADS)
        .ready();
  }

  /**
   * Base and weight are stored alike, be the weight a parameter or unpacked; a delta that was
   * gathered, or has no master, is narrow too.
   */
  static void scatterColumns(Binding b, Node node) {
    ScatterColumns op = Binding.op(node, ScatterColumns.class);
    Operand base = b.copyOf(node.input(0));
    Operand weight = b.copyOf(node.input(2));
    Value moved = node.input(1);
    Operand delta = b.isBf16Alone(moved) ? b.copyOf(moved) : b.in(node, 1);
    base.expectElement(weight, node);
    if (b.bf16() && b.hasMaster(node.input(2))) {
      throw new DeviceException(
          "cuda: " + node + ": expected a weight in bf16 alone, found one with an fp32 master");
    }
    long table = b.constant(ColumnCuda.numbers(op.columns().indices()), "column numbers");
    b.launch("scatter_columns" + weight.variant() + (narrowDelta(weight, delta) ? "_bf16" : ""))
        .at(base.address(), delta.address(), table, weight.address())
        .ints(base.rows(), base.columns(), weight.stride())
        .ints(op.layout() == WeightLayout.OUT_IN ? 1 : 0)
        .floats(op.scale())
        .grid((base.elements() + THREADS - 1) / THREADS, THREADS)
        .ready();
  }

  private static boolean narrowDelta(Operand weight, Operand delta) {
    return weight.element() == Element.BF16 && delta.element() == Element.BF16;
  }

  static void rowNorms(Binding b, Node node) {
    RowNorms op = Binding.op(node, RowNorms.class);
    Operand weight = b.copyOf(node.input(0));
    Operand down = b.copyOf(node.input(1));
    Operand up = b.copyOf(node.input(2));
    weight.expectElement(down, node);
    weight.expectElement(up, node);
    boolean outIn = op.layout() == WeightLayout.OUT_IN;
    int outs = up.rows();
    Launch launch =
        b.launch((outIn ? "row_norms_out_in" : "row_norms_in_out") + weight.variant())
            .at(weight.address(), down.address(), up.address(), b.out(node, 0).address())
            .ints(outs, down.columns(), down.rows())
            .floats(op.scale());
    if (outIn) {
      launch.grid(outs, THREADS).ready();
    } else {
      launch.grid((outs + 31) / 32, 1, 32).block(32, 8).ready();
    }
  }

  /** Read as products read it; the mask of a bf16 copy is that of the master but for 1e-40. */
  static void maskedWeight(Binding b, Node node) {
    MaskedWeight op = Binding.op(node, MaskedWeight.class);
    Operand weight = b.copyOf(node.input(0));
    Operand down = b.copyOf(node.input(1));
    Operand up = b.copyOf(node.input(2));
    Operand v = b.out(node, 0);
    weight.expectElement(down, node);
    weight.expectElement(up, node);
    weight.expectElement(v, node);
    b.launch("masked_weight" + weight.variant())
        .at(weight.address(), down.address(), up.address(), v.address())
        .ints(v.rows(), v.columns(), down.rows(), op.layout() == WeightLayout.OUT_IN ? 1 : 0)
        .floats(op.scale())
        .grid(blocks(v), THREADS)
        .ready();
  }

  static void maskedGradient(Binding b, Node node) {
    MaskedGradient op = Binding.op(node, MaskedGradient.class);
    Operand dv = b.in(node, 0);
    Operand weight = b.copyOf(node.input(1));
    Operand g = b.out(node, 0);
    weight.expectElement(g, node);
    if (dv.element() != Element.F32) {
      throw new DeviceException("cuda: " + node + ": expected an fp32 gradient of the weight");
    }
    b.launch("masked_gradient" + weight.variant())
        .at(dv.address(), weight.address(), g.address())
        .ints(g.rows(), g.columns(), op.layout() == WeightLayout.OUT_IN ? 1 : 0)
        .floats(op.scale())
        .grid(blocks(g), THREADS)
        .ready();
  }

  static void magnitude(Binding b, Node node) {
    boolean biased = Binding.op(node, Magnitude.class).bias();
    Operand v = b.in(node, 0);
    Operand y = b.out(node, 0);
    v.expectElement(y, node);
    b.launch("magnitude" + v.variant())
        .at(v.address(), b.in(node, 1).address(), b.in(node, 2).address())
        .at(biased ? b.in(node, 3).address() : 0, y.address())
        .ints(v.rows(), v.columns(), v.stride(), y.stride())
        .grid(blocks(v), THREADS)
        .ready();
  }

  static void magnitudeGradient(Binding b, Node node) {
    Operand v = b.in(node, 0);
    Operand dy = b.in(node, 1);
    v.expectElement(dy, node);
    int strips = (v.columns() + 31) / 32;
    int wanted = Math.max(1, 8 * b.multiprocessors() / strips);
    int rowsPerBlock = Math.max(32, (v.rows() + wanted - 1) / wanted);
    int parts = (v.rows() + rowsPerBlock - 1) / rowsPerBlock;
    long partials = b.scratch((long) parts * v.columns() * Float.BYTES);
    b.launch("dot_columns" + v.variant())
        .at(v.address(), dy.address(), partials)
        .ints(v.rows(), v.columns(), v.stride(), dy.stride(), rowsPerBlock)
        .grid(strips, parts, 32)
        .block(32, 8)
        .ready();
    b.launch("magnitude_gradient")
        .at(partials, b.in(node, 2).address(), b.in(node, 3).address())
        .at(b.out(node, 0).address(), b.out(node, 1).address())
        .ints(parts, v.columns())
        .grid((v.columns() + THREADS - 1) / THREADS, THREADS)
        .ready();
  }

  private static long blocks(Operand operand) {
    return (operand.elements() + BLOCK_ELEMENTS - 1) / BLOCK_ELEMENTS;
  }
}
