package dev.kindling.kernels.testing;

import dev.kindling.kernels.graph.AttentionShape;
import dev.kindling.kernels.graph.op.Attention;
import dev.kindling.kernels.graph.op.AttentionGradient;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Attention, one pair of tokens at a time. */
final class AttentionOracle {
  private final AttentionShape shape;
  private final double[] q;
  private final double[] k;
  private final double @Nullable [] segments;

  private AttentionOracle(AttentionShape shape, Oracle.Call call, boolean segmented) {
    this.shape = shape;
    this.q = call.in(0);
    this.k = call.in(1);
    this.segments = segmented ? call.in(call.last()) : null;
  }

  private boolean visible(int i, int j) {
    boolean causal = i / shape.sequence() == j / shape.sequence() && j <= i;
    causal &= shape.window() == 0 || i - j < shape.window();
    for (int t = j; causal && segments != null && t < i; t++) {
      causal = segments[t] == segments[t + 1];
    }
    return causal;
  }

  private int atQ(int token, int head) {
    return (token * shape.heads() + head) * shape.headDim();
  }

  private int atK(int token, int head) {
    int kvHead = head / (shape.heads() / shape.kvHeads());
    return (token * shape.kvHeads() + kvHead) * shape.headDim();
  }

  private int atLse(int token, int head) {
    int sequence = token / shape.sequence();
    return (sequence * shape.heads() + head) * shape.sequence() + token % shape.sequence();
  }

  private double score(int i, int j, int head) {
    return dot(q, atQ(i, head), k, atK(j, head)) / Math.sqrt(shape.headDim());
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

  static List<double[]> forward(Oracle.Call call) {
    Attention op = (Attention) call.op();
    AttentionOracle oracle = new AttentionOracle(op.shape(), call, op.segments());
    int tokens = call.dim(0, 0);
    double[] o = new double[call.in(0).length];
    double[] lse = new double[tokens * op.shape().heads()];
    for (int head = 0; head < op.shape().heads(); head++) {
      for (int i = 0; i < tokens; i++) {
        oracle.row(i, head, call.in(2), o, lse);
      }
    }
    return List.of(o, lse);
  }

  private void row(int i, int head, double[] v, double[] o, double[] lse) {
    double max = Double.NEGATIVE_INFINITY;
    for (int j = 0; j <= i; j++) {
      max = visible(i, j) ? Math.max(max, score(i, j, head)) : max;
    }
    double sum = 0;
    for (int j = 0; j <= i; j++) {
      sum += visible(i, j) ? Math.exp(score(i, j, head) - max) : 0;
    }
    lse[atLse(i, head)] = max + Math.log(sum);
    for (int j = 0; j <= i; j++) {
      if (visible(i, j)) {
        axpy(Math.exp(score(i, j, head) - max) / sum, v, atK(j, head), o, atQ(i, head));
      }
    }
  }

  static List<double[]> gradient(Oracle.Call call) {
    AttentionGradient op = (AttentionGradient) call.op();
    AttentionOracle oracle = new AttentionOracle(op.shape(), call, op.segments());
    double[] v = call.in(2);
    double[] o = call.in(3);
    double[] dOut = call.in(5);
    double[] dq = new double[call.in(0).length];
    double[] dk = new double[v.length];
    double[] dv = new double[v.length];
    double scale = 1 / Math.sqrt(op.shape().headDim());
    for (int head = 0; head < op.shape().heads(); head++) {
      for (int i = 0; i < call.dim(0, 0); i++) {
        int at = oracle.atQ(i, head);
        double d = oracle.dot(dOut, at, o, at);
        for (int j = 0; j <= i; j++) {
          if (!oracle.visible(i, j)) {
            continue;
          }
          int key = oracle.atK(j, head);
          double p = Math.exp(oracle.score(i, j, head) - call.in(4)[oracle.atLse(i, head)]);
          double ds = p * (oracle.dot(dOut, at, v, key) - d) * scale;
          oracle.axpy(p, dOut, at, dv, key);
          oracle.axpy(ds, oracle.k, key, dq, at);
          oracle.axpy(ds, oracle.q, at, dk, key);
        }
      }
    }
    return List.of(dq, dk, dv);
  }
}
