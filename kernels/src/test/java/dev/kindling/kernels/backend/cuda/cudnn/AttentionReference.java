package dev.kindling.kernels.backend.cuda.cudnn;

import java.util.stream.IntStream;

/** Causal attention and its gradient in fp64, one pair of tokens at a time; all matrices dense. */
final class AttentionReference {
  final double[] o;
  final double[] lse;
  final double[] dQ;
  final double[] dK;
  final double[] dV;

  private final AttentionLayout layout;
  private final double[] q;
  private final double[] k;
  private final double[] v;
  private final double[] dO;
  private final double scale;

  AttentionReference(AttentionLayout layout, double[] q, double[] k, double[] v, double[] dO) {
    this.layout = layout;
    this.q = q;
    this.k = k;
    this.v = v;
    this.dO = dO;
    scale = 1 / Math.sqrt(layout.headDim());
    o = new double[q.length];
    lse = new double[layout.batch() * layout.heads() * layout.tokens()];
    dQ = new double[q.length];
    dK = new double[k.length];
    dV = new double[v.length];
    // A group of query heads adds into the same key head: groups are independent, heads are not.
    IntStream.range(0, layout.batch() * layout.kvHeads()).parallel().forEach(this::group);
  }

  private void group(int index) {
    int batch = index / layout.kvHeads();
    int kvHead = index % layout.kvHeads();
    int size = layout.heads() / layout.kvHeads();
    for (int head = kvHead * size; head < (kvHead + 1) * size; head++) {
      for (int i = 0; i < layout.tokens(); i++) {
        row(batch, head, kvHead, i);
      }
    }
  }

  private int at(int heads, int batch, int token, int head) {
    return ((batch * layout.tokens() + token) * heads + head) * layout.headDim();
  }

  private void row(int batch, int head, int kvHead, int i) {
    int qAt = at(layout.heads(), batch, i, head);
    double[] p = new double[i + 1];
    double max = Double.NEGATIVE_INFINITY;
    for (int j = 0; j <= i; j++) {
      p[j] = scale * dot(q, qAt, k, at(layout.kvHeads(), batch, j, kvHead));
      max = Math.max(max, p[j]);
    }
    double sum = 0;
    for (int j = 0; j <= i; j++) {
      sum += Math.exp(p[j] - max);
    }
    double logSum = max + Math.log(sum);
    lse[(batch * layout.heads() + head) * layout.tokens() + i] = logSum;
    for (int j = 0; j <= i; j++) {
      p[j] = Math.exp(p[j] - logSum);
      axpy(p[j], v, at(layout.kvHeads(), batch, j, kvHead), o, qAt);
    }
    double rowSum = dot(dO, qAt, o, qAt);
    for (int j = 0; j <= i; j++) {
      int kAt = at(layout.kvHeads(), batch, j, kvHead);
      double dS = scale * p[j] * (dot(dO, qAt, v, kAt) - rowSum);
      axpy(p[j], dO, qAt, dV, kAt);
      axpy(dS, q, qAt, dK, kAt);
      axpy(dS, k, kAt, dQ, qAt);
    }
  }

  private double dot(double[] a, int aAt, double[] b, int bAt) {
    double sum = 0;
    for (int c = 0; c < layout.headDim(); c++) {
      sum += a[aAt + c] * b[bAt + c];
    }
    return sum;
  }

  private void axpy(double factor, double[] x, int xAt, double[] y, int yAt) {
    for (int c = 0; c < layout.headDim(); c++) {
      y[yAt + c] += factor * x[xAt + c];
    }
  }
}
