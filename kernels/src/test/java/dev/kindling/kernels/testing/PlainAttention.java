package dev.kindling.kernels.testing;

import dev.kindling.kernels.graph.AttentionShape;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Causal attention written down plainly, in fp64. With {@code rounds} it is what a plain bf16
 * implementation with fp32 sums computes: probabilities, gradients of scores and results are
 * rounded to bf16; its error is the measure for a fused one.
 *
 * @param segments document numbers [T], null if sequences are whole
 */
public record PlainAttention(AttentionShape shape, double[] segments, boolean rounds) {
  /** Forward pass and the gradients of q, k and v. */
  public record Result(double[] o, double[] lse, double[] dq, double[] dk, double[] dv) {}

  /** Of one sequence and query head: rows of its own, keys of its group. */
  private record Head(double[] o, double[] lse, double[] dq, double[] dk, double[] dv) {}

  private double round(double value) {
    return rounds ? DeviceCase.rounded(value) : value;
  }

  /** q, dO [T, H * C], k and v [T, K * C]; lse [sequences * H, sequence]. */
  public Result evaluate(double[] q, double[] k, double[] v, double[] dO) {
    int sequences = q.length / (shape.heads() * shape.headDim() * shape.sequence());
    List<Head> heads =
        IntStream.range(0, sequences * shape.heads())
            .parallel()
            .mapToObj(i -> head(i / shape.heads(), i % shape.heads(), q, k, v, dO))
            .toList();
    Result all =
        new Result(
            new double[q.length],
            new double[sequences * shape.heads() * shape.sequence()],
            new double[q.length],
            new double[k.length],
            new double[k.length]);
    for (int i = 0; i < heads.size(); i++) {
      int sequence = i / shape.heads();
      int head = i % shape.heads();
      System.arraycopy(heads.get(i).lse, 0, all.lse, i * shape.sequence(), shape.sequence());
      for (int t = 0; t < shape.sequence(); t++) {
        addRow(heads.get(i).o, t, all.o, query(sequence, t, head));
        addRow(heads.get(i).dq, t, all.dq, query(sequence, t, head));
        addRow(heads.get(i).dk, t, all.dk, key(sequence, t, head));
        addRow(heads.get(i).dv, t, all.dv, key(sequence, t, head));
      }
    }
    for (double[] result : List.of(all.o, all.dq, all.dk, all.dv)) {
      for (int i = 0; i < result.length; i++) {
        result[i] = round(result[i]);
      }
    }
    return all;
  }

  private void addRow(double[] from, int row, double[] to, int at) {
    for (int c = 0; c < shape.headDim(); c++) {
      to[at + c] += from[row * shape.headDim() + c];
    }
  }

  private int query(int sequence, int t, int head) {
    return ((sequence * shape.sequence() + t) * shape.heads() + head) * shape.headDim();
  }

  private int key(int sequence, int t, int head) {
    int kvHead = head / (shape.heads() / shape.kvHeads());
    return ((sequence * shape.sequence() + t) * shape.kvHeads() + kvHead) * shape.headDim();
  }

  private int start(int sequence, int t) {
    int first = t;
    int at = sequence * shape.sequence();
    while (first > 0
        && (shape.window() == 0 || t - first + 1 < shape.window())
        && (segments == null || segments[at + first - 1] == segments[at + t])) {
      first--;
    }
    return first;
  }

  private Head head(int sequence, int head, double[] q, double[] k, double[] v, double[] dO) {
    int length = shape.sequence();
    int size = length * shape.headDim();
    Head result =
        new Head(
            new double[size],
            new double[length],
            new double[size],
            new double[size],
            new double[size]);
    double[] p = new double[length];
    for (int t = 0; t < length; t++) {
      int first = start(sequence, t);
      int row = query(sequence, t, head);
      int own = t * shape.headDim();
      double scale = 1 / Math.sqrt(shape.headDim());
      for (int j = first; j <= t; j++) {
        p[j] = dot(q, row, k, key(sequence, j, head)) * scale;
      }
      result.lse[t] = normalize(p, first, t);
      for (int j = first; j <= t; j++) {
        axpy(round(p[j]), v, key(sequence, j, head), result.o, own);
      }
      double d = 0;
      for (int c = 0; c < shape.headDim(); c++) {
        d += dO[row + c] * round(result.o[own + c]);
      }
      for (int j = first; j <= t; j++) {
        int at = key(sequence, j, head);
        double ds = round(p[j] * (dot(dO, row, v, at) - d));
        axpy(round(p[j]), dO, row, result.dv, j * shape.headDim());
        axpy(ds * scale, k, at, result.dq, own);
        axpy(ds * scale, q, row, result.dk, j * shape.headDim());
      }
    }
    return result;
  }

  /** Scores p[first..last] become probabilities; returns the logarithm of the sum. */
  private static double normalize(double[] p, int first, int last) {
    double max = Double.NEGATIVE_INFINITY;
    for (int j = first; j <= last; j++) {
      max = Math.max(max, p[j]);
    }
    double sum = 0;
    for (int j = first; j <= last; j++) {
      p[j] = Math.exp(p[j] - max);
      sum += p[j];
    }
    for (int j = first; j <= last; j++) {
      p[j] /= sum;
    }
    return max + Math.log(sum);
  }

  private double dot(double[] a, int aAt, double[] b, int bAt) {
    double sum = 0;
    for (int c = 0; c < shape.headDim(); c++) {
      sum += a[aAt + c] * b[bAt + c];
    }
    return sum;
  }

  private void axpy(double factor, double[] x, int xAt, double[] y, int yAt) {
    for (int c = 0; c < shape.headDim(); c++) {
      y[yAt + c] += factor * x[xAt + c];
    }
  }
}
