package dev.kindling.kernels.backend.cpu.vector;

import static dev.kindling.kernels.backend.cpu.vector.Lanes.W;
import static dev.kindling.kernels.backend.cpu.vector.Lanes.load;
import static dev.kindling.kernels.backend.cpu.vector.Lanes.store;
import static dev.kindling.kernels.backend.cpu.vector.Lanes.vectorEnd;

import java.nio.ByteBuffer;
import jdk.incubator.vector.FloatVector;

/** Vector API {@link AttentionKernels}. */
public final class VectorAttention implements AttentionKernels {
  @Override
  public float softmaxRow(Operand s, int at, int columns, int first, int limit, float scale) {
    ByteBuffer b = s.buffer();
    int base = s.at() + at;
    VectorSoftmax.outside(b, base, columns, first, limit, Float.NEGATIVE_INFINITY);
    float max =
        first < limit ? VectorSoftmax.max(b, base, columns, first, limit) : Float.NEGATIVE_INFINITY;
    if (max == Float.NEGATIVE_INFINITY) {
      VectorSoftmax.zero(b, base, 0, columns);
      return Float.POSITIVE_INFINITY;
    }
    float total = VectorSoftmax.exponentials(b, base, columns, first, limit, max, scale, true);
    VectorSoftmax.multiplyInside(b, base, columns, first, limit, 1f / total);
    return (float) ((double) max * scale + ScalarMath.log(total));
  }

  @Override
  public void probabilityRow(
      Operand s, int at, int columns, int first, int limit, float scale, float lse) {
    if (first >= limit || lse == Float.POSITIVE_INFINITY) {
      VectorSoftmax.zero(s.buffer(), s.at() + at, 0, columns);
      return;
    }
    VectorSoftmax.probabilities(s.buffer(), s.at() + at, columns, first, limit, scale, lse);
  }

  @Override
  public void scoreGradientRow(
      Operand p, int pAt, Operand dp, int dpAt, int columns, float d, float scale) {
    ByteBuffer pb = p.buffer();
    ByteBuffer db = dp.buffer();
    int pa = p.at() + pAt;
    int da = dp.at() + dpAt;
    int end = vectorEnd(0, columns);
    for (int j = 0; j < end; j += W) {
      store(load(pb, pa + j).mul(load(db, da + j).sub(d)).mul(scale), db, da + j);
    }
    for (int j = end; j < columns; j++) {
      dp.set(dpAt + j, p.get(pAt + j) * (dp.get(dpAt + j) - d) * scale);
    }
  }

  @Override
  public float dot(Operand a, int aAt, Operand b, int bAt, int count) {
    return VectorSums.dot(a.buffer(), a.at() + aAt, b.buffer(), b.at() + bAt, count);
  }

  @Override
  public void rope(
      Operand x,
      Operand y,
      int ld,
      int heads,
      int headDim,
      Operand positions,
      Operand table,
      boolean inverse,
      int from,
      int to) {
    int half = headDim / 2;
    int end = vectorEnd(0, half);
    for (int row = from; row < to; row++) {
      int angles = positions.getInt(row) * headDim;
      for (int head = 0; head < heads; head++) {
        int base = row * ld + head * headDim;
        rotate(x, y, base, half, table, angles, inverse, end);
        ScalarAttention.rotate(x, y, base, half, table, angles, inverse, end);
      }
    }
  }

  private static void rotate(
      Operand x,
      Operand y,
      int base,
      int half,
      Operand table,
      int angles,
      boolean inverse,
      int end) {
    ByteBuffer xb = x.buffer();
    ByteBuffer yb = y.buffer();
    ByteBuffer tb = table.buffer();
    int xa = x.at() + base;
    int ya = y.at() + base;
    int ta = table.at() + angles;
    for (int i = 0; i < end; i += W) {
      FloatVector c = load(tb, ta + i);
      FloatVector s = load(tb, ta + half + i);
      if (inverse) {
        s = s.neg();
      }
      FloatVector a = load(xb, xa + i);
      FloatVector b = load(xb, xa + half + i);
      store(a.fma(c, b.mul(s).neg()), yb, ya + i);
      store(b.fma(c, a.mul(s)), yb, ya + half + i);
    }
  }
}
