package dev.kindling.kernels.backend.cpu.row;

import com.sun.management.ThreadMXBean;
import dev.kindling.kernels.backend.cpu.blas.Form;
import dev.kindling.kernels.backend.cpu.blas.Matmul;
import dev.kindling.kernels.backend.cpu.vector.Operand;
import dev.kindling.kernels.backend.cpu.vector.RopeTable;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Random;

/**
 * Program, not a test: nanoseconds per element of each kernel, one thread, beside a memory copy of
 * the same rows, and bytes allocated per call; GFLOP/s of the matrix products. Arguments: rows,
 * width (default 256 512).
 */
public final class KernelSpeed {
  private final int rows;
  private final int width;
  private final RowKernels k;
  private final String only;
  private final Random random = new Random(1);

  private KernelSpeed(int rows, int width, RowKernels kernels, String only) {
    this.only = only;
    this.rows = rows;
    this.width = width;
    this.k = kernels;
  }

  public static void main(String[] args) {
    int rows = args.length > 0 ? Integer.parseInt(args[0]) : 256;
    int width = args.length > 1 ? Integer.parseInt(args[1]) : 512;
    String only = args.length > 2 ? args[2] : "all";
    RowKernels best = RowKernels.best();
    System.out.printf("%s, %d rows of %d%n", best.name(), rows, width);
    if (!only.equals("matmul")) {
      new KernelSpeed(rows, width, best, only).all();
    }
    if (only.equals("all") || only.equals("matmul")) {
      products(Matmul.openBlas(1));
      products(Matmul.pureJava());
    }
  }

  private Operand floats(int count) {
    ByteBuffer buffer = ByteBuffer.allocateDirect(count * 4 + 128).order(ByteOrder.LITTLE_ENDIAN);
    Operand x = new Operand(buffer, 16);
    for (int i = 0; i < count; i++) {
      x.set(i, (float) random.nextGaussian());
    }
    return x;
  }

  private void report(String name, double elements, Runnable run) {
    if (!only.equals("all") && !only.equals("rows") && !name.startsWith(only)) {
      return;
    }
    double best = Double.MAX_VALUE;
    long allocated = 0;
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    long thread = Thread.currentThread().getId();
    long until = System.nanoTime() + 1_500_000_000L;
    int calls = (int) Math.max(1, 400_000 / elements);
    while (System.nanoTime() < until) {
      long bytes = threads.getThreadAllocatedBytes(thread);
      long start = System.nanoTime();
      for (int i = 0; i < calls; i++) {
        run.run();
      }
      double nanos = (System.nanoTime() - start) / (double) calls;
      allocated = (threads.getThreadAllocatedBytes(thread) - bytes) / calls;
      best = Math.min(best, nanos);
    }
    System.out.printf("%-24s %8.3f ns/element %8d B/call%n", name, best / elements, allocated);
  }

  private void all() {
    int n = rows * width;
    Operand x = floats(n);
    Operand y = floats(n);
    Operand z = floats(n);
    Operand d = floats(n);
    Operand e = floats(n);
    Operand gain = floats(width);
    Operand bias = floats(width);
    Operand stats = floats(2 * rows);
    report("copy", n, () -> k.elements().copy(x, y, 0, n));
    report("fill", n, () -> k.elements().fill(0f, y, 0, n));
    report("add", n, () -> k.elements().add(x, y, z, 0, n));
    report("axpy", n, () -> k.elements().axpy(1e-9f, x, y, 0, n));
    report("exp", n, () -> k.elements().exp(x, z, 0, n));
    report("tanh", n, () -> k.elements().tanh(x, z, 0, n));
    report("sigmoid", n, () -> k.elements().sigmoid(x, z, 0, n));
    report("sum_of_squares", n, () -> k.elements().sumOfSquares(x, 0, n));
    report("all_finite", n, () -> k.elements().allFinite(x, 0, n));
    report("add_bias", n, () -> k.elements().addBias(bias, z, width, 0, rows));
    report("column_sums", n, () -> k.elements().columnSums(x, bias, rows, width, 0, width));
    report("rms", n, () -> k.norms().rmsForward(x, gain, y, stats, width, 1e-5f, 0, rows));
    report(
        "add_rms",
        n,
        () -> k.norms().addRmsForward(x, d, z, gain, y, stats, width, 1e-5f, 0, rows));
    report(
        "rms_gradient", n, () -> k.norms().rmsBackward(d, x, gain, stats, z, width, true, 0, rows));
    report(
        "rms_gain_gradient",
        n,
        () -> k.norms().rmsGainGradient(d, x, stats, bias, rows, width, 0, width));
    report(
        "layer", n, () -> k.norms().layerForward(x, gain, bias, y, stats, width, 1e-5f, 0, rows));
    report(
        "layer_gradient",
        n,
        () -> k.norms().layerBackward(d, x, gain, stats, z, width, true, 0, rows));
    report(
        "layer_gain_gradient",
        n,
        () -> k.norms().layerGainBiasGradient(d, x, stats, bias, gain, rows, width, 0, width));
    report("swiglu", n, () -> k.activations().swiGlu(x, y, z, 0, n));
    report("swiglu_gradient", n, () -> k.activations().swiGluBackward(d, x, y, z, e, 0, n));
    report("gelu", n, () -> k.activations().gelu(x, z, 0, n));
    report("gelu_gradient", n, () -> k.activations().geluBackward(d, x, z, 0, n));
    report(
        "adamw",
        n,
        () ->
            k.updates()
                .adamW(x, d, y, z, 0.5f, 1e-9f, 0.9f, 0.95f, 1e-8f, 0.1f, 0.1f, 0.05f, 0, n));
    rowsOfScores();
  }

  private void rowsOfScores() {
    int n = rows * width;
    Operand x = floats(n);
    Operand y = floats(n);
    Operand p = floats(n);
    Operand losses = floats(rows);
    Operand ids = floats(rows);
    for (int i = 0; i < rows; i++) {
      ids.buffer().putInt((ids.at() + i) << 2, i % width);
    }
    report(
        "softmax (causal, visible)",
        n / 2.0,
        () -> {
          for (int i = 0; i < rows; i++) {
            k.attention().softmaxRow(x, i * width, width, 0, 1 + i * width / rows, 0.125f);
          }
        });
    report(
        "probability (visible)",
        n / 2.0,
        () -> {
          for (int i = 0; i < rows; i++) {
            k.attention().probabilityRow(x, i * width, width, 0, 1 + i * width / rows, 0.1f, 1f);
          }
        });
    report(
        "score_gradient",
        n,
        () -> {
          for (int i = 0; i < rows; i++) {
            k.attention().scoreGradientRow(p, i * width, y, i * width, width, 0.1f, 0.9f);
          }
        });
    Operand table = floats(width * 64);
    RopeTable.fill(table, width, 64, 10000);
    report(
        "rope (head 64)",
        n,
        () -> k.attention().rope(y, y, width, width / 64, 64, ids, table, false, 0, rows));
    report(
        "cross_entropy + gradient",
        n,
        () -> k.losses().crossEntropy(x, ids, losses, width, width, 1f, true, 0, rows));
  }

  private static void products(Matmul matmul) {
    int[][] shapes = {
      {256, 256, 256},
      {1024, 512, 512},
      {256, 128, 128},
      {2048, 1376, 512},
      {64, 64, 32},
      {64, 64, 64},
      {256, 256, 64},
      {256, 64, 256},
      {16, 16, 16}
    };
    KernelSpeed speed = new KernelSpeed(1, 1, RowKernels.scalar(), "matmul");
    for (Form form : Form.values()) {
      for (int[] s : shapes) {
        int m = s[0];
        int n = s[1];
        int kk = s[2];
        Operand a = speed.floats(m * kk);
        Operand b = speed.floats(n * kk);
        Operand c = speed.floats(m * n);
        int lda = form.transposedA() ? m : kk;
        int ldb = form.transposedB() ? kk : n;
        double flops = 2.0 * m * n * kk;
        double best = Double.MAX_VALUE;
        long until = System.nanoTime() + 300_000_000L;
        int calls = (int) Math.max(1, 2e7 / flops);
        while (System.nanoTime() < until) {
          long start = System.nanoTime();
          for (int i = 0; i < calls; i++) {
            matmul.multiply(form, m, n, kk, 1f, a, lda, b, ldb, 0f, c, n);
          }
          best = Math.min(best, (System.nanoTime() - start) / (double) calls);
        }
        System.out.printf(
            "%-9s %s %5d x %5d x %5d %8.1f GFLOP/s %10.2f us%n",
            matmul.name(), form, m, n, kk, flops / best, best / 1e3);
      }
    }
  }
}
