package dev.kindling.kernels.backend.cpu.row;

import dev.kindling.kernels.backend.cpu.vector.LossKernels;
import dev.kindling.kernels.backend.cpu.vector.Operand;
import dev.kindling.kernels.backend.cpu.vector.OuterNumbers;
import dev.kindling.kernels.backend.cpu.vector.RopeTable;
import dev.kindling.kernels.graph.RopeFrequencies;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.BiConsumer;

/**
 * One case per row kernel: run it on odd and even widths and hash every bit of all operands. Also a
 * program, so that a JVM with other flags can print its hashes.
 */
public final class KernelCases {
  static final int[] WIDTHS = {1, 3, 4, 7, 15, 16, 17, 31, 32, 48, 63, 100, 256};
  static final int ROWS = 3;
  static final long SEED = Long.getLong("seed", 20261122L);

  private KernelCases() {}

  /** Operands of one run: buffers of ROWS x width plus slack, reproducible content. */
  static final class Bench {
    final int width;
    final Random random;
    private long hash = 1125899906842597L;
    private final List<Operand> operands = new ArrayList<>();

    Bench(int width) {
      this.width = width;
      this.random = new Random(SEED + width);
    }

    Operand floats(int count, double mean, double deviation) {
      Operand x = empty(count);
      for (int i = 0; i < count; i++) {
        x.set(i, (float) (mean + deviation * random.nextGaussian()));
      }
      operands.add(x);
      return x;
    }

    Operand rows() {
      return floats(ROWS * width, 0, 2);
    }

    Operand row() {
      return floats(width, 0.2, 1);
    }

    Operand ints(int... values) {
      Operand x = empty(values.length);
      for (int i = 0; i < values.length; i++) {
        x.buffer().putInt((x.at() + i) << 2, values[i]);
      }
      return x;
    }

    void result(double value) {
      mix(Double.doubleToLongBits(value));
    }

    private void mix(long bits) {
      hash = (hash ^ bits) * 0x9E3779B97F4A7C15L;
      hash ^= hash >>> 29;
    }

    long hash() {
      for (Operand x : operands) {
        for (int i = 0; i < x.buffer().capacity() / 4; i++) {
          mix(x.buffer().getInt(i << 2));
        }
      }
      return hash;
    }

    /** Starts 5 elements into its buffer: kernels must not assume alignment. */
    static Operand empty(int count) {
      ByteBuffer buffer = ByteBuffer.allocateDirect((count + 9) * 4).order(ByteOrder.LITTLE_ENDIAN);
      return new Operand(buffer, 5);
    }
  }

  static Map<String, BiConsumer<RowKernels, Bench>> cases() {
    Map<String, BiConsumer<RowKernels, Bench>> cases = new LinkedHashMap<>();
    elements(cases);
    reductions(cases);
    norms(cases);
    layerNorms(cases);
    attention(cases);
    activations(cases);
    losses(cases);
    updates(cases);
    outer(cases);
    return cases;
  }

  private static void elements(Map<String, BiConsumer<RowKernels, Bench>> cases) {
    cases.put("add", (k, b) -> k.elements().add(b.rows(), b.rows(), b.rows(), 1, ROWS * b.width));
    cases.put("axpy", (k, b) -> k.elements().axpy(1.7f, b.rows(), b.rows(), 0, ROWS * b.width));
    cases.put("scale", (k, b) -> k.elements().scale(0.3f, b.rows(), b.rows(), 0, ROWS * b.width));
    cases.put("copy", (k, b) -> k.elements().copy(b.rows(), b.rows(), 1, ROWS * b.width));
    cases.put("fill", (k, b) -> k.elements().fill(3.5f, b.rows(), 1, ROWS * b.width - 1));
    cases.put("add_bias", (k, b) -> k.elements().addBias(b.row(), b.rows(), b.width, 1, ROWS));
    cases.put("exp", (k, b) -> k.elements().exp(b.rows(), b.rows(), 0, ROWS * b.width));
    cases.put("tanh", (k, b) -> k.elements().tanh(b.rows(), b.rows(), 0, ROWS * b.width));
    cases.put("sigmoid", (k, b) -> k.elements().sigmoid(b.rows(), b.rows(), 0, ROWS * b.width));
  }

  private static void reductions(Map<String, BiConsumer<RowKernels, Bench>> cases) {
    cases.put(
        "column_sums",
        (k, b) -> k.elements().columnSums(b.rows(), b.row(), ROWS, b.width, b.width / 4, b.width));
    cases.put("sum", (k, b) -> b.result(k.elements().sum(b.rows(), 1, ROWS * b.width)));
    cases.put(
        "sum_of_squares",
        (k, b) -> b.result(k.elements().sumOfSquares(b.rows(), 1, ROWS * b.width)));
    cases.put(
        "all_finite",
        (k, b) -> {
          Operand x = b.rows();
          int last = ROWS * b.width - 1;
          b.result(k.elements().allFinite(x, 0, last + 1) ? 1 : 0);
          x.set(last / 2, Float.NEGATIVE_INFINITY);
          b.result(k.elements().allFinite(x, 0, last + 1) ? 1 : 0);
          x.set(last / 2, Float.NaN);
          b.result(k.elements().allFinite(x, 0, last + 1) ? 1 : 0);
        });
  }

  private static void norms(Map<String, BiConsumer<RowKernels, Bench>> cases) {
    cases.put(
        "rms_norm",
        (k, b) ->
            k.norms()
                .rmsForward(
                    b.rows(), b.row(), b.rows(), b.floats(ROWS, 0, 1), b.width, 1e-5f, 0, ROWS));
    cases.put(
        "add_rms_norm",
        (k, b) ->
            k.norms()
                .addRmsForward(
                    b.rows(),
                    b.rows(),
                    b.rows(),
                    b.row(),
                    b.rows(),
                    b.floats(ROWS, 0, 1),
                    b.width,
                    1e-5f,
                    0,
                    ROWS));
    cases.put("rms_norm_gradient", (k, b) -> rmsBackward(k, b, false));
    cases.put("rms_norm_gradient_accumulated", (k, b) -> rmsBackward(k, b, true));
    cases.put(
        "rms_norm_gain_gradient",
        (k, b) ->
            k.norms()
                .rmsGainGradient(
                    b.rows(),
                    b.rows(),
                    b.floats(ROWS, 1, 0.1),
                    b.row(),
                    ROWS,
                    b.width,
                    0,
                    b.width));
  }

  private static void rmsBackward(RowKernels k, Bench b, boolean accumulate) {
    Operand rstd = b.floats(ROWS, 0.5, 0.01);
    k.norms()
        .rmsBackward(b.rows(), b.rows(), b.row(), rstd, b.rows(), b.width, accumulate, 0, ROWS);
  }

  private static void layerNorms(Map<String, BiConsumer<RowKernels, Bench>> cases) {
    cases.put(
        "layer_norm",
        (k, b) -> {
          Operand stats = b.floats(2 * ROWS, 0, 1);
          k.norms()
              .layerForward(b.rows(), b.row(), b.row(), b.rows(), stats, b.width, 1e-5f, 0, ROWS);
        });
    cases.put(
        "add_layer_norm",
        (k, b) -> {
          Operand stats = b.floats(2 * ROWS, 0, 1);
          Operand sum = b.rows();
          k.norms()
              .addLayerForward(
                  b.rows(), sum, sum, b.row(), b.row(), b.rows(), stats, b.width, 1e-5f, 0, ROWS);
        });
    cases.put("layer_norm_gradient", (k, b) -> layerBackward(k, b, false));
    cases.put("layer_norm_gradient_accumulated", (k, b) -> layerBackward(k, b, true));
    cases.put(
        "layer_norm_gain_gradient",
        (k, b) -> {
          Operand stats = b.floats(2 * ROWS, 0.5, 0.1);
          k.norms()
              .layerGainBiasGradient(
                  b.rows(), b.rows(), stats, b.row(), b.row(), ROWS, b.width, 0, b.width);
        });
  }

  private static void layerBackward(RowKernels k, Bench b, boolean accumulate) {
    Operand stats = b.floats(2 * ROWS, 0.5, 0.01);
    k.norms()
        .layerBackward(b.rows(), b.rows(), b.row(), stats, b.rows(), b.width, accumulate, 0, ROWS);
  }

  private static void attention(Map<String, BiConsumer<RowKernels, Bench>> cases) {
    cases.put(
        "softmax",
        (k, b) -> {
          for (int limit = 0; limit <= b.width; limit++) {
            Operand s = b.row();
            b.result(k.attention().softmaxRow(s, 0, b.width, limit / 3, limit, 0.7f));
          }
        });
    cases.put(
        "probability",
        (k, b) -> {
          for (int limit = 0; limit <= b.width; limit++) {
            k.attention().probabilityRow(b.row(), 0, b.width, limit - limit / 3, limit, 0.7f, 1.3f);
          }
        });
    cases.put(
        "score_gradient",
        (k, b) ->
            k.attention().scoreGradientRow(b.rows(), b.width, b.rows(), 0, b.width, 0.4f, 0.125f));
    cases.put(
        "dot", (k, b) -> b.result(k.attention().dot(b.rows(), b.width, b.rows(), 0, b.width)));
    cases.put("rope", (k, b) -> rope(k, b, false));
    cases.put("rope_gradient", (k, b) -> rope(k, b, true));
  }

  private static void rope(RowKernels k, Bench b, boolean inverse) {
    int headDim = 2 * b.width;
    int ld = 2 * headDim + 3;
    Operand table = b.floats(8 * headDim, 0, 1);
    RopeTable.fill(table, 8, RopeFrequencies.of(10000).ofHead(headDim));
    Operand x = b.floats(ROWS * ld, 0, 1);
    k.attention().rope(x, x, ld, 2, headDim, b.ints(7, 0, 3), table, inverse, 0, ROWS);
  }

  private static void activations(Map<String, BiConsumer<RowKernels, Bench>> cases) {
    cases.put(
        "swiglu", (k, b) -> k.activations().swiGlu(b.rows(), b.rows(), b.rows(), 0, 3 * b.width));
    cases.put(
        "swiglu_gradient",
        (k, b) -> {
          Operand gate = b.rows();
          Operand up = b.rows();
          k.activations().swiGluBackward(b.rows(), gate, up, gate, up, 0, 3 * b.width);
        });
    cases.put("gelu", (k, b) -> k.activations().gelu(b.rows(), b.rows(), 0, 3 * b.width));
    cases.put(
        "gelu_gradient",
        (k, b) -> k.activations().geluBackward(b.rows(), b.rows(), b.rows(), 0, 3 * b.width));
  }

  private static void losses(Map<String, BiConsumer<RowKernels, Bench>> cases) {
    cases.put("cross_entropy", (k, b) -> crossEntropy(k, b, false));
    cases.put("cross_entropy_gradient", (k, b) -> crossEntropy(k, b, true));
  }

  private static void crossEntropy(RowKernels k, Bench b, boolean gradient) {
    int ld = b.width + 5;
    Operand targets = b.ints(b.width - 1, LossKernels.IGNORED, 0);
    Operand losses = b.floats(ROWS, 0, 1);
    Operand logits = b.floats(ROWS * ld, 0, 3);
    b.result(
        k.losses().crossEntropy(logits, targets, losses, ld, b.width, 0.5f, gradient, 0, ROWS));
  }

  private static void updates(Map<String, BiConsumer<RowKernels, Bench>> cases) {
    cases.put(
        "adamw",
        (k, b) -> {
          Operand p = b.rows();
          Operand g = b.rows();
          Operand m = b.floats(ROWS * b.width, 0, 0);
          Operand v = b.floats(ROWS * b.width, 0, 0);
          for (float scale : new float[] {0.5f, 0f, 0.25f}) {
            k.updates()
                .adamW(
                    p,
                    g,
                    m,
                    v,
                    scale,
                    1e-3f,
                    0.9f,
                    0.95f,
                    1e-8f,
                    0.1f,
                    0.1f,
                    0.05f,
                    0,
                    ROWS * b.width);
          }
        });
    for (boolean nesterov : new boolean[] {false, true}) {
      for (float momentum : new float[] {0f, 0.9f}) {
        cases.put(
            "sgd_" + momentum + (nesterov ? "_nesterov" : ""),
            (k, b) ->
                k.updates()
                    .sgd(
                        b.rows(),
                        b.rows(),
                        b.rows(),
                        0.5f,
                        0.1f,
                        momentum,
                        0.01f,
                        nesterov,
                        0,
                        ROWS * b.width));
      }
    }
  }

  private static void outer(Map<String, BiConsumer<RowKernels, Bench>> cases) {
    for (boolean nesterov : new boolean[] {false, true}) {
      for (float limit : new float[] {Float.POSITIVE_INFINITY, 0.5f}) {
        OuterNumbers numbers = new OuterNumbers(0.7f, 0.9f, 0.6f, limit, limit, 0.3f, nesterov);
        String name = "outer_" + limit + (nesterov ? "_nesterov" : "");
        for (boolean departs : new boolean[] {false, true}) {
          cases.put(
              name + (departs ? "_stale" : ""),
              (k, b) -> {
                int end = ROWS * b.width;
                k.updates().outer(b.rows(), b.rows(), b.rows(), b.rows(), numbers, departs, 0, end);
              });
        }
        cases.put(
            name + "_own",
            (k, b) -> {
              int end = ROWS * b.width;
              k.updates()
                  .outerOwn(b.rows(), b.rows(), b.rows(), b.rows(), b.rows(), numbers, 0, end);
            });
      }
    }
  }

  static long hash(RowKernels kernels, BiConsumer<RowKernels, Bench> run, int width) {
    Bench bench = new Bench(width);
    run.accept(kernels, bench);
    return bench.hash();
  }

  /** All cases, one "name width hash" line each. */
  static String report(RowKernels kernels) {
    StringBuilder lines = new StringBuilder();
    cases()
        .forEach(
            (name, run) -> {
              for (int width : WIDTHS) {
                lines.append(name).append(' ').append(width).append(' ');
                lines.append(Long.toHexString(hash(kernels, run, width))).append('\n');
              }
            });
    return lines.toString();
  }

  /** Prints the hashes of the flavour that this JVM chooses. */
  public static void main(String[] args) {
    System.out.print(report(RowKernels.best()));
    System.err.println("flavour " + RowKernels.best().name());
  }
}
