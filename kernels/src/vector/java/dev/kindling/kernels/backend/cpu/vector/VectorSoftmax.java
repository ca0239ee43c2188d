package dev.kindling.kernels.backend.cpu.vector;

import static dev.kindling.kernels.backend.cpu.vector.Lanes.BLOCK;
import static dev.kindling.kernels.backend.cpu.vector.Lanes.SPECIES;
import static dev.kindling.kernels.backend.cpu.vector.Lanes.W;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Passes over one row of which only columns [first, limit) count. Whole blocks of 16 run as
 * vectors, because a causal row ends anywhere and a scalar tail of up to 15 exponentials would cost
 * as much as the rest; the outside of the first and last block is overwritten before or after.
 *
 * <p>After an exponential only the JDK's own methods are called: it fills the compiler's node
 * budget, and a helper that is then not inlined puts its vector into a box.
 */
final class VectorSoftmax {
  private static final ByteOrder ORDER = ByteOrder.LITTLE_ENDIAN;
  private static final FloatVector INDEX = FloatVector.zero(SPECIES).addIndex(1);

  private VectorSoftmax() {}

  /** First column of the whole blocks that hold [first, limit). */
  private static int begin(int first) {
    return first & -BLOCK;
  }

  /** End of these blocks; what lies behind the last whole block of the row is left to scalars. */
  private static int end(int columns, int limit) {
    return Math.min(limit + BLOCK - 1, columns) & -BLOCK;
  }

  /** Sets the columns of these blocks that do not count. */
  static void outside(ByteBuffer s, int at, int columns, int first, int limit, float value) {
    int begin = begin(first);
    int end = end(columns, limit);
    if (begin < end && begin < first) {
      outsideOfBlock(s, at, begin, first, limit, value);
    }
    if (begin < end && limit < end) {
      outsideOfBlock(s, at, end - BLOCK, first, limit, value);
    }
  }

  /** Column numbers are exact in fp32. */
  private static void outsideOfBlock(
      ByteBuffer s, int at, int block, int first, int limit, float value) {
    for (int j = block; j < block + BLOCK; j += W) {
      FloatVector v = FloatVector.fromByteBuffer(SPECIES, s, (at + j) << 2, ORDER);
      v.blend(value, INDEX.compare(VectorOperators.LT, (float) (first - j)))
          .blend(value, INDEX.compare(VectorOperators.GE, (float) (limit - j)))
          .intoByteBuffer(s, (at + j) << 2, ORDER);
    }
  }

  /** Largest of [first, limit); the outside of its blocks must hold negative infinity. */
  static float max(ByteBuffer s, int at, int columns, int first, int limit) {
    FloatVector max = FloatVector.broadcast(SPECIES, Float.NEGATIVE_INFINITY);
    int end = end(columns, limit);
    for (int j = begin(first); j < end; j += W) {
      max = max.max(FloatVector.fromByteBuffer(SPECIES, s, (at + j) << 2, ORDER));
    }
    float result = max.reduceLanes(VectorOperators.MAX);
    for (int i = Math.max(first, columns & -BLOCK); i < limit; i++) {
      result = Math.max(result, s.getFloat((at + i) << 2));
    }
    return result;
  }

  /**
   * Sum of e = exp((s - max) scale), and with {@code keep} the row is overwritten by e; the outside
   * of its blocks must hold negative infinity.
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
    float total = exponentials(s, at, begin(first), end(columns, limit), max, scale, keep);
    for (int i = Math.max(first, columns & -BLOCK); i < limit; i++) {
      float e = ScalarMath.exp((s.getFloat((at + i) << 2) - max) * scale);
      if (keep) {
        s.putFloat((at + i) << 2, e);
      }
      total += e;
    }
    return total;
  }

  /** One exponential per turn, whatever the width, and the four accumulators change places. */
  private static float exponentials(
      ByteBuffer s, int at, int begin, int end, float max, float scale, boolean keep) {
    FloatVector s0 = FloatVector.zero(SPECIES);
    FloatVector s1 = s0;
    FloatVector s2 = s0;
    FloatVector s3 = s0;
    for (int j = begin; j < end; j += W) {
      FloatVector v = FloatVector.fromByteBuffer(SPECIES, s, (at + j) << 2, ORDER);
      FloatVector e = VectorMath.exp(v.sub(max).mul(scale));
      if (keep) {
        e.intoByteBuffer(s, (at + j) << 2, ORDER);
      }
      FloatVector sum = s0.add(e);
      if (W == 16) {
        s0 = sum;
      } else if (W == 8) {
        s0 = s1;
        s1 = sum;
      } else {
        s0 = s1;
        s1 = s2;
        s2 = s3;
        s3 = sum;
      }
    }
    // Lanes.fold by hand: beyond the budget it would take four boxes.
    FloatVector sum = s0.add(s2).add(s1.add(s3));
    if (W == 16) {
      sum = s0.add(s0.rearrange(Lanes.BY8));
      sum = sum.add(sum.rearrange(Lanes.BY4));
    } else if (W == 8) {
      sum = s0.add(s1);
      sum = sum.add(sum.rearrange(Lanes.BY4));
    }
    sum = sum.add(sum.rearrange(Lanes.BY2));
    return sum.add(sum.rearrange(Lanes.BY1)).lane(0);
  }

  static void multiply(ByteBuffer s, int at, int from, int to, float factor) {
    int end = Lanes.vectorEnd(from, to);
    for (int j = from; j < end; j += W) {
      FloatVector v = FloatVector.fromByteBuffer(SPECIES, s, (at + j) << 2, ORDER);
      v.mul(factor).intoByteBuffer(s, (at + j) << 2, ORDER);
    }
    for (int j = end; j < to; j++) {
      s.putFloat((at + j) << 2, s.getFloat((at + j) << 2) * factor);
    }
  }

  /** Multiplies [first, limit) and writes zeros around it. */
  static void multiplyInside(
      ByteBuffer s, int at, int columns, int first, int limit, float factor) {
    int end = Math.max(limit, end(columns, limit));
    int begin = Math.min(begin(first), end);
    multiply(s, at, begin, end, factor);
    zeroOutside(s, at, columns, first, limit);
  }

  static void zero(ByteBuffer s, int at, int from, int to) {
    FloatVector zero = FloatVector.zero(SPECIES);
    int end = Lanes.vectorEnd(from, to);
    for (int j = from; j < end; j += W) {
      zero.intoByteBuffer(s, (at + j) << 2, ORDER);
    }
    for (int j = end; j < to; j++) {
      s.putFloat((at + j) << 2, 0f);
    }
  }

  private static void zeroOutside(ByteBuffer s, int at, int columns, int first, int limit) {
    int blocks = columns & -BLOCK;
    outside(s, at, columns, first, limit, 0f);
    // A row whose first column lies behind the whole blocks has no block of its own.
    zero(s, at, 0, first < blocks ? begin(first) : first);
    zero(s, at, Math.max(limit, end(columns, limit)), columns);
  }

  /** p = exp(scale s - lse) on [first, limit), zero outside. */
  static void probabilities(
      ByteBuffer s, int at, int columns, int first, int limit, float scale, float lse) {
    FloatVector scales = FloatVector.broadcast(SPECIES, scale);
    FloatVector minus = FloatVector.broadcast(SPECIES, -lse);
    int end = end(columns, limit);
    for (int j = begin(first); j < end; j += W) {
      FloatVector v = FloatVector.fromByteBuffer(SPECIES, s, (at + j) << 2, ORDER);
      VectorMath.exp(v.fma(scales, minus)).intoByteBuffer(s, (at + j) << 2, ORDER);
    }
    for (int i = Math.max(first, columns & -BLOCK); i < limit; i++) {
      s.putFloat((at + i) << 2, ScalarMath.exp(Math.fma(s.getFloat((at + i) << 2), scale, -lse)));
    }
    zeroOutside(s, at, columns, first, limit);
  }
}
