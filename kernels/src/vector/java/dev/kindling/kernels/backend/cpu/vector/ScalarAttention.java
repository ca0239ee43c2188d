package dev.kindling.kernels.backend.cpu.vector;

/** Plain Java {@link AttentionKernels}. */
public final class ScalarAttention implements AttentionKernels {
  @Override
  public float softmaxRow(Operand s, int at, int columns, int first, int limit, float scale) {
    float max = Float.NEGATIVE_INFINITY;
    for (int j = first; j < limit; j++) {
      max = Math.max(max, s.get(at + j));
    }
    if (first >= limit || max == Float.NEGATIVE_INFINITY) {
      zero(s, at, 0, columns);
      return Float.POSITIVE_INFINITY;
    }
    float[] lanes = new float[16];
    int blocks = columns & -16;
    for (int j = first; j < Math.min(limit, blocks); j++) {
      float e = ScalarMath.exp((s.get(at + j) - max) * scale);
      s.set(at + j, e);
      lanes[j & 15] += e;
    }
    float total = ScalarMath.fold(lanes);
    for (int j = Math.max(first, blocks); j < limit; j++) {
      float e = ScalarMath.exp((s.get(at + j) - max) * scale);
      s.set(at + j, e);
      total += e;
    }
    float inverse = 1f / total;
    for (int j = first; j < limit; j++) {
      s.set(at + j, s.get(at + j) * inverse);
    }
    zero(s, at, 0, first);
    zero(s, at, limit, columns);
    return (float) ((double) max * scale + ScalarMath.log(total));
  }

  @Override
  public void probabilityRow(
      Operand s, int at, int columns, int first, int limit, float scale, float lse) {
    if (first >= limit || lse == Float.POSITIVE_INFINITY) {
      zero(s, at, 0, columns);
      return;
    }
    for (int j = first; j < limit; j++) {
      s.set(at + j, ScalarMath.exp(Math.fma(s.get(at + j), scale, -lse)));
    }
    zero(s, at, 0, first);
    zero(s, at, limit, columns);
  }

  @Override
  public void scoreGradientRow(
      Operand p, int pAt, Operand dp, int dpAt, int columns, float d, float scale) {
    for (int j = 0; j < columns; j++) {
      dp.set(dpAt + j, p.get(pAt + j) * (dp.get(dpAt + j) - d) * scale);
    }
  }

  @Override
  public float dot(Operand a, int aAt, Operand b, int bAt, int count) {
    return ScalarNorms.dot(a, aAt, b, bAt, count, new float[16]);
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
    for (int row = from; row < to; row++) {
      int angles = positions.getInt(row) * headDim;
      for (int head = 0; head < heads; head++) {
        rotate(x, y, row * ld + head * headDim, half, table, angles, inverse, 0);
      }
    }
  }

  /** Rotates pairs [from, half) of one head that begins at element {@code base}. */
  static void rotate(
      Operand x,
      Operand y,
      int base,
      int half,
      Operand table,
      int angles,
      boolean inverse,
      int from) {
    for (int i = from; i < half; i++) {
      float c = table.get(angles + i);
      float s = inverse ? -table.get(angles + half + i) : table.get(angles + half + i);
      float a = x.get(base + i);
      float b = x.get(base + half + i);
      y.set(base + i, Math.fma(a, c, -(b * s)));
      y.set(base + half + i, Math.fma(b, c, a * s));
    }
  }

  static void zero(Operand s, int at, int from, int to) {
    for (int j = from; j < to; j++) {
      s.set(at + j, 0f);
    }
  }
}
