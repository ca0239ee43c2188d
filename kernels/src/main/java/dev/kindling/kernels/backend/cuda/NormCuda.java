package dev.kindling.kernels.backend.cuda;

import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.op.Accumulation;
import dev.kindling.kernels.graph.op.BiasGradient;
import dev.kindling.kernels.graph.op.LayerNorm;
import dev.kindling.kernels.graph.op.LayerNormGradient;
import dev.kindling.kernels.graph.op.ResidualLayerNorm;
import dev.kindling.kernels.graph.op.ResidualRmsNorm;
import dev.kindling.kernels.graph.op.RmsNorm;
import dev.kindling.kernels.graph.op.RmsNormGradient;
import java.util.ArrayList;
import java.util.List;

/** Kernels of norm.cu. */
final class NormCuda {
  /**
   * Rows as the kernels see them: each head is one where the gain is that of one head.
   *
   * @param stride of matrices that are dense if they have several heads
   */
  private record Rows(int count, int width, int stride, int heads) {
    static Rows of(Operand dense, int width) {
      int heads = dense.columns() / width;
      return heads == 1
          ? new Rows(dense.rows(), width, dense.stride(), 1)
          : new Rows(Math.multiplyExact(dense.rows(), heads), width, width, heads);
    }
  }

  private NormCuda() {}

  /** Of the gain: columns of one row. */
  private static int width(Node node) {
    return node.input(1).shape().dim(0);
  }

  static void rms(Binding b, Node node) {
    float eps = Binding.op(node, RmsNorm.class).eps();
    Operand y = b.out(node, 0);
    long gain = b.in(node, 1).address();
    Operand x = b.in(node, 0);
    long[] places = {x.address(), 0, gain, 0, y.address(), b.out(node, 1).address()};
    Rows rows = Rows.of(y, width(node));
    forward(b, "rms_norm" + y.variant(), rows, places, eps, rows.heads(), x.stride());
  }

  static void residualRms(Binding b, Node node) {
    float eps = Binding.op(node, ResidualRmsNorm.class).eps();
    Operand y = b.out(node, 1);
    long[] places = {
      b.in(node, 0).address(),
      b.in(node, 1).address(),
      b.in(node, 2).address(),
      b.out(node, 0).address(),
      y.address(),
      b.out(node, 2).address()
    };
    forward(b, "rms_norm" + y.variant(), Rows.of(y, y.columns()), places, eps, 1, y.stride());
  }

  static void layer(Binding b, Node node) {
    float eps = Binding.op(node, LayerNorm.class).eps();
    Operand y = b.out(node, 0);
    long gain = b.in(node, 1).address();
    long bias = b.in(node, 2).address();
    long moments = b.out(node, 1).address();
    long[] places = {b.in(node, 0).address(), 0, gain, bias, 0, y.address(), moments};
    forward(b, "layer_norm" + y.variant(), Rows.of(y, y.columns()), places, eps);
  }

  static void residualLayer(Binding b, Node node) {
    float eps = Binding.op(node, ResidualLayerNorm.class).eps();
    Operand y = b.out(node, 1);
    long[] places = {
      b.in(node, 0).address(),
      b.in(node, 1).address(),
      b.in(node, 2).address(),
      b.in(node, 3).address(),
      b.out(node, 0).address(),
      y.address(),
      b.out(node, 2).address()
    };
    forward(b, "layer_norm" + y.variant(), Rows.of(y, y.columns()), places, eps);
  }

  private static void forward(
      Binding b, String kernel, Rows rows, long[] places, float eps, int... headsAndStride) {
    int team = team(rows.width());
    int rowsPerBlock = rowsPerBlock(team);
    b.launch(kernel)
        .at(places)
        .ints(rows.count(), rows.width(), rows.stride())
        .ints(headsAndStride)
        .floats(eps)
        .grid((rows.count() + rowsPerBlock - 1) / rowsPerBlock, team)
        .block(team, rowsPerBlock)
        .ready();
  }

  private static int team(int width) {
    return 32 * ((width + 1023) / 1024);
  }

  private static int rowsPerBlock(int team) {
    return team == 32 ? 4 : 1;
  }

  /** As many blocks as are resident at a time; one more wave would leave most of the GPU idle. */
  private static int gradientBlocks(Binding b, int rows, int team) {
    int perProcessor = team == 32 ? 2 : (256 + team - 1) / team;
    return Math.min(rows, perProcessor * b.multiprocessors());
  }

  static void rmsGradient(Binding b, Node node) {
    RmsNormGradient op = Binding.op(node, RmsNormGradient.class);
    Operand x = b.in(node, 0);
    Operand dy = b.in(node, 3);
    Operand dx = b.out(node, 0);
    Rows rows = Rows.of(dy, width(node));
    int team = team(rows.width());
    int blocks = gradientBlocks(b, rows.count(), team);
    boolean wantsGain = op.gain() != Accumulation.NONE;
    long partials = wantsGain ? b.scratch((long) blocks * rows.width() * Float.BYTES) : 0;
    long carried = op.residual() ? b.in(node, 4).address() : 0;
    b.launch("rms_norm_gradient" + x.variant())
        .at(x.address(), b.in(node, 1).address(), b.in(node, 2).address())
        .at(dy.address(), carried, dx.address(), partials)
        .ints(rows.count(), rows.width(), rows.stride(), rows.heads(), x.stride(), dx.stride())
        .grid(blocks, team)
        .block(team, rowsPerBlock(team))
        .ready();
    if (wantsGain) {
      boolean accumulate = op.gain() == Accumulation.INTO_VARIABLE;
      ColumnCuda.Partials sum =
          new ColumnCuda.Partials(partials, b.out(node, 1).address(), accumulate);
      ColumnCuda.sumPartials(b, List.of(sum), blocks, rows.width());
    }
  }

  static void layerGradient(Binding b, Node node) {
    layerGradient(b, node, List.of());
  }

  /** As above; the column sums of dx are the gradient of a bias in front of the norm. */
  static void layerGradientBias(Binding b) {
    Node bias = b.group().last();
    boolean accumulate = Binding.op(bias, BiasGradient.class).accumulate();
    long total = b.out(bias, 0).address();
    layerGradient(
        b, b.group().nodes().get(0), List.of(new ColumnCuda.Partials(0, total, accumulate)));
  }

  /**
   * @param ofDx where the column sums of dx go, if anywhere; its rows are filled in here
   */
  private static void layerGradient(Binding b, Node node, List<ColumnCuda.Partials> ofDx) {
    LayerNormGradient op = Binding.op(node, LayerNormGradient.class);
    Operand x = b.in(node, 0);
    int team = team(x.columns());
    int blocks = gradientBlocks(b, x.rows(), team);
    List<ColumnCuda.Partials> totals = new ArrayList<>();
    addTotal(b, node, op.gain(), 1, totals);
    addTotal(b, node, op.bias(), op.biasOutput(), totals);
    totals.addAll(ofDx);
    long bytes = (long) blocks * x.columns() * Float.BYTES;
    long scratch = totals.isEmpty() ? 0 : b.scratch(totals.size() * bytes);
    List<ColumnCuda.Partials> sums = new ArrayList<>();
    for (ColumnCuda.Partials each : totals) {
      long rows = scratch + sums.size() * bytes;
      sums.add(new ColumnCuda.Partials(rows, each.total(), each.accumulate()));
    }
    int bias = op.gain() == Accumulation.NONE ? 0 : 1;
    long carried = op.residual() ? b.in(node, 4).address() : 0;
    b.launch("layer_norm_gradient" + x.variant())
        .at(x.address(), b.in(node, 1).address(), b.in(node, 2).address())
        .at(b.in(node, 3).address(), carried, b.out(node, 0).address())
        .at(op.gain() == Accumulation.NONE ? 0 : sums.get(0).rows())
        .at(op.bias() == Accumulation.NONE ? 0 : sums.get(bias).rows())
        .at(ofDx.isEmpty() ? 0 : sums.get(sums.size() - 1).rows())
        .ints(x.rows(), x.columns(), x.stride())
        .grid(blocks, team)
        .block(team, rowsPerBlock(team))
        .ready();
    if (!sums.isEmpty()) {
      ColumnCuda.sumPartials(b, sums, blocks, x.columns());
    }
  }

  private static void addTotal(
      Binding b, Node node, Accumulation mode, int output, List<ColumnCuda.Partials> totals) {
    if (mode != Accumulation.NONE) {
      boolean accumulate = mode == Accumulation.INTO_VARIABLE;
      totals.add(new ColumnCuda.Partials(0, b.out(node, output).address(), accumulate));
    }
  }
}
