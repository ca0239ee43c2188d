package dev.kindling.kernels.backend.cuda;

import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.op.Accumulation;
import dev.kindling.kernels.graph.op.LayerNorm;
import dev.kindling.kernels.graph.op.LayerNormGradient;
import dev.kindling.kernels.graph.op.ResidualLayerNorm;
import dev.kindling.kernels.graph.op.ResidualRmsNorm;
import dev.kindling.kernels.graph.op.RmsNorm;
import dev.kindling.kernels.graph.op.RmsNormGradient;

/** Kernels of norm.cu. */
final class NormCuda {
  private NormCuda() {}

  static void rms(Binding b, Node node) {
    float eps = Binding.op(node, RmsNorm.class).eps();
    Operand y = b.out(node, 0);
    long gain = b.in(node, 1).address();
    long[] places = {b.in(node, 0).address(), 0, gain, 0, y.address(), b.out(node, 1).address()};
    forward(b, "rms_norm", y, places, eps);
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
    forward(b, "rms_norm", y, places, eps);
  }

  static void layer(Binding b, Node node) {
    float eps = Binding.op(node, LayerNorm.class).eps();
    Operand y = b.out(node, 0);
    long gain = b.in(node, 1).address();
    long bias = b.in(node, 2).address();
    long moments = b.out(node, 1).address();
    long[] places = {b.in(node, 0).address(), 0, gain, bias, 0, y.address(), moments};
    forward(b, "layer_norm", y, places, eps);
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
    forward(b, "layer_norm", y, places, eps);
  }

  private static void forward(Binding b, String kernel, Operand y, long[] places, float eps) {
    int team = team(y.columns());
    int rowsPerBlock = rowsPerBlock(team);
    b.launch(kernel + y.variant())
        .at(places)
        .ints(y.rows(), y.columns(), y.stride())
        .floats(eps)
        .grid((y.rows() + rowsPerBlock - 1) / rowsPerBlock, team)
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
  private static int gradientBlocks(Binding b, int rows, int team, boolean layer) {
    int resident = layer ? 2 : 3;
    int perProcessor = team == 32 ? resident : (128 * resident + team - 1) / team;
    return Math.min(rows, perProcessor * b.engine().multiprocessors());
  }

  static void rmsGradient(Binding b, Node node) {
    RmsNormGradient op = Binding.op(node, RmsNormGradient.class);
    Operand x = b.in(node, 0);
    int team = team(x.columns());
    int blocks = gradientBlocks(b, x.rows(), team, false);
    boolean wantsGain = op.gain() != Accumulation.NONE;
    long partials = wantsGain ? b.scratch((long) blocks * x.columns() * Float.BYTES) : 0;
    long carried = op.residual() ? b.in(node, 4).address() : 0;
    b.launch("rms_norm_gradient" + x.variant())
        .at(x.address(), b.in(node, 1).address(), b.in(node, 2).address())
        .at(b.in(node, 3).address(), carried, b.out(node, 0).address(), partials)
        .ints(x.rows(), x.columns(), x.stride())
        .grid(blocks, team)
        .block(team, rowsPerBlock(team))
        .ready();
    if (wantsGain) {
      int accumulate = op.gain() == Accumulation.INTO_VARIABLE ? 1 : 0;
      long[] pairs = {partials, b.out(node, 1).address(), 0, 0};
      ColumnCuda.sumPartials(b, pairs, blocks, x.columns(), accumulate);
    }
  }

  static void layerGradient(Binding b, Node node) {
    LayerNormGradient op = Binding.op(node, LayerNormGradient.class);
    Operand x = b.in(node, 0);
    int team = team(x.columns());
    int blocks = gradientBlocks(b, x.rows(), team, true);
    boolean wantsGain = op.gain() != Accumulation.NONE;
    boolean wantsBias = op.bias() != Accumulation.NONE;
    long bytes = (long) blocks * x.columns() * Float.BYTES;
    long scratch = wantsGain || wantsBias ? b.scratch(2 * bytes) : 0;
    long gains = wantsGain ? scratch : 0;
    long biases = wantsBias ? scratch + bytes : 0;
    long carried = op.residual() ? b.in(node, 4).address() : 0;
    b.launch("layer_norm_gradient" + x.variant())
        .at(x.address(), b.in(node, 1).address(), b.in(node, 2).address())
        .at(b.in(node, 3).address(), carried, b.out(node, 0).address(), gains, biases)
        .ints(x.rows(), x.columns(), x.stride())
        .grid(blocks, team)
        .block(team, rowsPerBlock(team))
        .ready();
    sums(b, node, op, gains, biases, blocks);
  }

  private static void sums(
      Binding b, Node node, LayerNormGradient op, long gains, long biases, int blocks) {
    int width = b.in(node, 0).columns();
    int gainInto = op.gain() == Accumulation.INTO_VARIABLE ? 1 : 0;
    int biasInto = op.bias() == Accumulation.INTO_VARIABLE ? 1 : 0;
    if (gains != 0 && biases != 0) {
      long biasOut = b.out(node, op.biasOutput()).address();
      long[] pairs = {gains, b.out(node, 1).address(), biases, biasOut};
      ColumnCuda.sumPartials(b, pairs, blocks, width, gainInto | biasInto << 1);
    } else if (gains != 0) {
      long[] pairs = {gains, b.out(node, 1).address(), 0, 0};
      ColumnCuda.sumPartials(b, pairs, blocks, width, gainInto);
    } else if (biases != 0) {
      long[] pairs = {biases, b.out(node, op.biasOutput()).address(), 0, 0};
      ColumnCuda.sumPartials(b, pairs, blocks, width, biasInto);
    }
  }
}
