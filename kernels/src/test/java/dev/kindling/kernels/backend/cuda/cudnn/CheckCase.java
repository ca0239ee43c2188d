package dev.kindling.kernels.backend.cuda.cudnn;

import dev.kindling.kernels.backend.cuda.cudnn.AttentionLayout.RowStrides;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;

/** One attention on the device with random inputs, its outputs and the fp64 result. */
final class CheckCase {
  private static final int POISON = 0xFF;
  private static final int RANDOM_PERIOD = 1_000_003;
  private static final double O_LIMIT = 5e-3;
  private static final double GRADIENT_LIMIT = 1e-2;
  private static final double LSE_LIMIT = 2e-3;

  final AttentionLayout layout;
  private final CheckDevice device;
  private final int rows;
  private final boolean packed;
  private final double outliers;
  private final long[] in;
  private final long[] gradients;
  private final long[] inMatrices;
  private final long[] gradientMatrices;
  private final long o;
  private final long dO;
  private final long lse;
  private final int[] widths;
  private final short[][] host = new short[4][];

  /** Sizes and places: q, k and v side by side in one matrix, or a matrix each. */
  record Shape(
      int batch, int tokens, int heads, int kvHeads, int headDim, boolean packed, double outliers) {
    AttentionLayout layout() {
      RowStrides strides =
          packed
              ? RowStrides.packed(heads, kvHeads, headDim)
              : RowStrides.dense(heads, kvHeads, headDim);
      return new AttentionLayout(batch, tokens, heads, kvHeads, headDim, strides, strides);
    }
  }

  CheckCase(CheckDevice device, Shape shape) {
    this.device = device;
    packed = shape.packed;
    outliers = shape.outliers;
    layout = shape.layout();
    int heads = shape.heads;
    rows = shape.batch * shape.tokens;
    widths =
        new int[] {
          heads * shape.headDim, shape.kvHeads * shape.headDim, shape.kvHeads * shape.headDim
        };
    inMatrices = matrices();
    gradientMatrices = matrices();
    in = pieces(inMatrices);
    gradients = pieces(gradientMatrices);
    o = device.allocate(2L * rows * widths[0]);
    dO = device.allocate(2L * rows * widths[0]);
    lse = device.allocate(4L * rows * heads);
    fillInputs();
  }

  String name() {
    return "%s %s%s"
        .formatted(layout.sizes(), packed ? "packed" : "dense", outliers > 0 ? " outliers" : "");
  }

  private int packedWidth() {
    return widths[0] + widths[1] + widths[2];
  }

  private long[] matrices() {
    if (packed) {
      return new long[] {device.allocate(2L * rows * packedWidth())};
    }
    return Arrays.stream(widths).mapToLong(w -> device.allocate(2L * rows * w)).toArray();
  }

  private long[] pieces(long[] matrices) {
    return packed
        ? new long[] {
          matrices[0], matrices[0] + 2L * widths[0], matrices[0] + 2L * (widths[0] + widths[1])
        }
        : matrices;
  }

  private void fillInputs() {
    SplittableRandom random = new SplittableRandom(layout.hashCode() ^ 5);
    int width = Math.min(RANDOM_PERIOD, rows * packedWidth() * 2);
    short[] noise = new short[width];
    for (int i = 0; i < noise.length; i++) {
      double rare = random.nextDouble() < outliers ? 10 * random.nextGaussian() : 0;
      noise[i] = bf16((float) (random.nextGaussian() + rare));
    }
    for (int piece = 0; piece < 4; piece++) {
      int itsWidth = piece < 3 ? widths[piece] : widths[0];
      host[piece] = new short[rows * itsWidth];
      int at = random.nextInt(noise.length);
      for (int i = 0; i < host[piece].length; i++, at++) {
        host[piece][i] = noise[at % noise.length];
      }
    }
    device.upload(dO, host[3]);
    if (!packed) {
      for (int piece = 0; piece < 3; piece++) {
        device.upload(inMatrices[piece], host[piece]);
      }
      return;
    }
    short[] all = new short[rows * packedWidth()];
    for (int piece = 0, column = 0; piece < 3; column += widths[piece++]) {
      for (int row = 0; row < rows; row++) {
        System.arraycopy(
            host[piece], row * widths[piece], all, row * packedWidth() + column, widths[piece]);
      }
    }
    device.upload(inMatrices[0], all);
  }

  private static short bf16(float value) {
    int bits = Float.floatToRawIntBits(value);
    return (short) ((bits + 0x7FFF + ((bits >>> 16) & 1)) >>> 16);
  }

  private static double[] widen(short[] values) {
    double[] wide = new double[values.length];
    Arrays.setAll(wide, i -> Float.intBitsToFloat(values[i] << 16));
    return wide;
  }

  CudnnAttention.Forward forward() {
    return new CudnnAttention.Forward(in[0], in[1], in[2], o, lse);
  }

  CudnnAttention.Backward backward() {
    return new CudnnAttention.Backward(
        in[0], in[1], in[2], o, dO, lse, gradients[0], gradients[1], gradients[2]);
  }

  void poisonForward() {
    device.fill(o, POISON, 2L * rows * widths[0]);
    device.fill(lse, POISON, 4L * rows * layout.heads());
  }

  void poisonBackward() {
    for (int i = 0; i < gradientMatrices.length; i++) {
      device.fill(gradientMatrices[i], POISON, 2L * rows * (packed ? packedWidth() : widths[i]));
    }
  }

  short[] outputBits() {
    short[] bits = new short[rows * widths[0] + 2 * rows * layout.heads()];
    short[] part = new short[rows * widths[0]];
    device.download(o, part);
    System.arraycopy(part, 0, bits, 0, part.length);
    short[] sums = new short[2 * rows * layout.heads()];
    device.download(lse, sums);
    System.arraycopy(sums, 0, bits, part.length, sums.length);
    return bits;
  }

  short[] gradientBits() {
    short[] bits = new short[rows * packedWidth()];
    int at = 0;
    for (int i = 0; i < gradientMatrices.length; i++) {
      short[] part = new short[rows * (packed ? packedWidth() : widths[i])];
      device.download(gradientMatrices[i], part);
      System.arraycopy(part, 0, bits, at, part.length);
      at += part.length;
    }
    return bits;
  }

  private double[] gradient(int piece, short[] bits) {
    short[] found = new short[rows * widths[piece]];
    int column = piece == 0 ? 0 : widths[0] + (piece - 1) * widths[1];
    for (int row = 0; row < rows; row++) {
      int from = packed ? row * packedWidth() + column : rows * column + row * widths[piece];
      System.arraycopy(bits, from, found, row * widths[piece], widths[piece]);
    }
    return widen(found);
  }

  /** q, k, v or dO as a dense matrix. */
  double[] input(int piece) {
    return widen(host[piece]);
  }

  double[] output() {
    short[] found = new short[rows * widths[0]];
    device.download(o, found);
    return widen(found);
  }

  /** Of q, k or v, as a dense matrix. */
  double[] gradient(int piece) {
    return gradient(piece, gradientBits());
  }

  AttentionReference reference() {
    return new AttentionReference(
        layout, widen(host[0]), widen(host[1]), widen(host[2]), widen(host[3]));
  }

  /** Errors of a run, and whether all are small. */
  record Verdict(boolean good, String text) {}

  Verdict forwardVerdict(AttentionReference expected) {
    short[] found = new short[rows * widths[0]];
    device.download(o, found);
    float[] sums = new float[rows * layout.heads()];
    device.download(lse, sums);
    double worst = 0;
    for (int i = 0; i < sums.length; i++) {
      double error = Math.abs(sums[i] - expected.lse[i]);
      worst = Double.isNaN(error) ? Double.NaN : Math.max(worst, error);
    }
    double error = relative(widen(found), expected.o);
    return new Verdict(
        error < O_LIMIT && worst < LSE_LIMIT,
        String.format(Locale.ROOT, "o %.1e lse %.1e", error, worst));
  }

  Verdict backwardVerdict(AttentionReference expected) {
    short[] bits = gradientBits();
    List<double[]> wanted = List.of(expected.dQ, expected.dK, expected.dV);
    double[] errors = new double[3];
    Arrays.setAll(errors, i -> relative(gradient(i, bits), wanted.get(i)));
    return new Verdict(
        Arrays.stream(errors).allMatch(e -> e < GRADIENT_LIMIT),
        String.format(Locale.ROOT, "dq %.1e dk %.1e dv %.1e", errors[0], errors[1], errors[2]));
  }

  private static double relative(double[] found, double[] expected) {
    double difference = 0;
    double size = 0;
    for (int i = 0; i < found.length; i++) {
      difference += (found[i] - expected[i]) * (found[i] - expected[i]);
      size += expected[i] * expected[i];
    }
    return Math.sqrt(difference / size);
  }
}
