package dev.kindling.kernels.backend.cpu.vector;

import static dev.kindling.kernels.backend.cpu.vector.Lanes.BLOCK;
import static dev.kindling.kernels.backend.cpu.vector.Lanes.SPECIES;
import static dev.kindling.kernels.backend.cpu.vector.Lanes.W;
import static dev.kindling.kernels.backend.cpu.vector.Lanes.load;
import static dev.kindling.kernels.backend.cpu.vector.Lanes.store;

import java.nio.ByteBuffer;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/**
 * Passes over one row of which only columns [first, limit) count. Full blocks of 16 run as vectors
 * with the outside masked, because a causal row ends anywhere and a scalar tail of up to 15
 * exponentials would cost as much as the rest.
 */
final class VectorSoftmax {
  private static final FloatVector INDEX = FloatVector.zero(SPECIES).addIndex(1);

  private VectorSoftmax() {}

  /**
   * Lanes of the vector at column j that lie outside [first, limit); column numbers are exact in
   * fp32.
   */
  private static VectorMask<Float> outside(int j, int first, int limit) {
    return INDEX
        .compare(VectorOperators.LT, (float) (first - j))
        .or(INDEX.compare(VectorOperators.GE, (float) (limit - j)));
  }

  static float max(ByteBuffer s, int at, int columns, int first, int limit) {
    FloatVector max = FloatVector.broadcast(SPECIES, Float.NEGATIVE_INFINITY);
    int blocks = columns & -BLOCK;
    int inner = Math.min(limit, blocks);
    int j = first & -W;
    for (; j < inner; j += W) {
      FloatVector v = load(s, at + j);
      if (j < first || j + W > limit) {
        v = v.blend(Float.NEGATIVE_INFINITY, outside(j, first, limit));
      }
      max = max.max(v);
    }
    float result = max.reduceLanes(VectorOperators.MAX);
    for (int i = Math.max(first, blocks); i < limit; i++) {
      result = Math.max(result, s.getFloat((at + i) << 2));
    }
    return result;
  }

  private static FloatVector exponential(
      ByteBuffer s, int at, int j, int first, int limit, float max, float scale, boolean keep) {
    FloatVector e = VectorMath.exp(load(s, at + j).sub(max).mul(scale));
    if (j < first || j + W > limit) {
      e = e.blend(0f, outside(j, first, limit));
    }
    if (keep) {
      store(e, s, at + j);
    }
    return e;
  }

  /**
   * Sum of e = exp((s - max) scale); with {@code keep} the row is overwritten by e, zero outside.
   */
  static float exponentials(
      ByteBuffer s,
      int at,
      int columns,
      int first,
      int limit,
      float max,
      float scale,
      boolean keep) {
    FloatVector s0 = FloatVector.zero(SPECIES);
    FloatVector s1 = s0;
    FloatVector s2 = s0;
    FloatVector s3 = s0;
    int blocks = columns & -BLOCK;
    int inner = Math.min(limit, blocks);
    for (int j = first & -BLOCK; j < inner; j += BLOCK) {
      s0 = s0.add(exponential(s, at, j, first, limit, max, scale, keep));
      if (W < 16) {
        s1 = s1.add(exponential(s, at, j + W, first, limit, max, scale, keep));
      }
      if (W < 8) {
        s2 = s2.add(exponential(s, at, j + 2 * W, first, limit, max, scale, keep));
        s3 = s3.add(exponential(s, at, j + 3 * W, first, limit, max, scale, keep));
      }
    }
    float total = Lanes.fold(s0, s1, s2, s3);
    for (int i = Math.max(first, blocks); i < limit; i++) {
      float e = ScalarMath.exp((s.getFloat((at + i) << 2) - max) * scale);
      if (keep) {
        s.putFloat((at + i) << 2, e);
      }
      total += e;
    }
    return total;
  }

  static void multiply(ByteBuffer s, int at, int from, int to, float factor) {
    int end = Lanes.vectorEnd(from, to);
    for (int j = from; j < end; j += W) {
      store(load(s, at + j).mul(factor), s, at + j);
    }
    for (int j = end; j < to; j++) {
      s.putFloat((at + j) << 2, s.getFloat((at + j) << 2) * factor);
    }
  }

  static void zero(ByteBuffer s, int at, int from, int to) {
    int end = Lanes.vectorEnd(from, to);
    for (int j = from; j < end; j += W) {
      store(FloatVector.zero(SPECIES), s, at + j);
    }
    for (int j = end; j < to; j++) {
      s.putFloat((at + j) << 2, 0f);
    }
  }

  /** p = exp(scale s - lse) on [first, limit), zero outside. */
  static void probabilities(
      ByteBuffer s, int at, int columns, int first, int limit, float scale, float lse) {
    int blocks = columns & -BLOCK;
    int inner = Math.min(limit, blocks);
    FloatVector scales = FloatVector.broadcast(SPECIES, scale);
    FloatVector minus = FloatVector.broadcast(SPECIES, -lse);
    int j = first & -W;
    zero(s, at, 0, j < blocks ? j : first);
    for (; j < inner; j += W) {
      FloatVector p = VectorMath.exp(load(s, at + j).fma(scales, minus));
      if (j < first || j + W > limit) {
        p = p.blend(0f, outside(j, first, limit));
      }
      store(p, s, at + j);
    }
    for (int i = Math.max(first, blocks); i < limit; i++) {
      s.putFloat((at + i) << 2, ScalarMath.exp(Math.fma(s.getFloat((at + i) << 2), scale, -lse)));
    }
    zero(s, at, Math.max(limit, Math.min(j, columns)), columns);
  }
}
