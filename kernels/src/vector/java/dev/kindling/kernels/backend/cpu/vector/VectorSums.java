package dev.kindling.kernels.backend.cpu.vector;

import static dev.kindling.kernels.backend.cpu.vector.Lanes.BLOCK;
import static dev.kindling.kernels.backend.cpu.vector.Lanes.SPECIES;
import static dev.kindling.kernels.backend.cpu.vector.Lanes.W;
import static dev.kindling.kernels.backend.cpu.vector.Lanes.load;

import java.nio.ByteBuffer;
import jdk.incubator.vector.FloatVector;

/** Sums over one row in 16 fp32 lanes; positions are absolute elements of their buffers. */
final class VectorSums {
  private VectorSums() {}

  static float dot(ByteBuffer a, int aAt, ByteBuffer b, int bAt, int count) {
    FloatVector s0 = FloatVector.zero(SPECIES);
    FloatVector s1 = s0;
    FloatVector s2 = s0;
    FloatVector s3 = s0;
    int end = count & -BLOCK;
    for (int i = 0; i < end; i += BLOCK) {
      s0 = load(a, aAt + i).fma(load(b, bAt + i), s0);
      if (W < 16) {
        s1 = load(a, aAt + i + W).fma(load(b, bAt + i + W), s1);
      }
      if (W < 8) {
        s2 = load(a, aAt + i + 2 * W).fma(load(b, bAt + i + 2 * W), s2);
        s3 = load(a, aAt + i + 3 * W).fma(load(b, bAt + i + 3 * W), s3);
      }
    }
    float total = Lanes.fold(s0, s1, s2, s3);
    for (int i = end; i < count; i++) {
      total = Math.fma(a.getFloat((aAt + i) << 2), b.getFloat((bAt + i) << 2), total);
    }
    return total;
  }

  static float sum(ByteBuffer x, int at, int count) {
    FloatVector s0 = FloatVector.zero(SPECIES);
    FloatVector s1 = s0;
    FloatVector s2 = s0;
    FloatVector s3 = s0;
    int end = count & -BLOCK;
    for (int i = at; i < at + end; i += BLOCK) {
      s0 = s0.add(load(x, i));
      if (W < 16) {
        s1 = s1.add(load(x, i + W));
      }
      if (W < 8) {
        s2 = s2.add(load(x, i + 2 * W));
        s3 = s3.add(load(x, i + 3 * W));
      }
    }
    float total = Lanes.fold(s0, s1, s2, s3);
    for (int i = at + end; i < at + count; i++) {
      total += x.getFloat(i << 2);
    }
    return total;
  }

  private static FloatVector plusSquare(FloatVector sum, ByteBuffer x, int at, FloatVector mean) {
    FloatVector d = load(x, at).sub(mean);
    return d.fma(d, sum);
  }

  static float squaredDistance(ByteBuffer x, int at, int count, float mean) {
    FloatVector centre = FloatVector.broadcast(SPECIES, mean);
    FloatVector s0 = FloatVector.zero(SPECIES);
    FloatVector s1 = s0;
    FloatVector s2 = s0;
    FloatVector s3 = s0;
    int end = count & -BLOCK;
    for (int i = at; i < at + end; i += BLOCK) {
      s0 = plusSquare(s0, x, i, centre);
      if (W < 16) {
        s1 = plusSquare(s1, x, i + W, centre);
      }
      if (W < 8) {
        s2 = plusSquare(s2, x, i + 2 * W, centre);
        s3 = plusSquare(s3, x, i + 3 * W, centre);
      }
    }
    float total = Lanes.fold(s0, s1, s2, s3);
    for (int i = at + end; i < at + count; i++) {
      float d = x.getFloat(i << 2) - mean;
      total = Math.fma(d, d, total);
    }
    return total;
  }

  private static FloatVector plusGainProduct(
      FloatVector sum,
      ByteBuffer dy,
      int dyAt,
      ByteBuffer x,
      int xAt,
      ByteBuffer gain,
      int gainAt) {
    return load(gain, gainAt).mul(load(dy, dyAt)).fma(load(x, xAt), sum);
  }

  /** Sum of (gain * dy) * x. */
  static float gainDot(
      ByteBuffer dy, int dyAt, ByteBuffer x, int xAt, ByteBuffer gain, int gainAt, int count) {
    FloatVector s0 = FloatVector.zero(SPECIES);
    FloatVector s1 = s0;
    FloatVector s2 = s0;
    FloatVector s3 = s0;
    int end = count & -BLOCK;
    for (int i = 0; i < end; i += BLOCK) {
      s0 = plusGainProduct(s0, dy, dyAt + i, x, xAt + i, gain, gainAt + i);
      if (W < 16) {
        int j = i + W;
        s1 = plusGainProduct(s1, dy, dyAt + j, x, xAt + j, gain, gainAt + j);
      }
      if (W < 8) {
        int j = i + 2 * W;
        s2 = plusGainProduct(s2, dy, dyAt + j, x, xAt + j, gain, gainAt + j);
        s3 = plusGainProduct(s3, dy, dyAt + j + W, x, xAt + j + W, gain, gainAt + j + W);
      }
    }
    float total = Lanes.fold(s0, s1, s2, s3);
    for (int i = end; i < count; i++) {
      float g = gain.getFloat((gainAt + i) << 2) * dy.getFloat((dyAt + i) << 2);
      total = Math.fma(g, x.getFloat((xAt + i) << 2), total);
    }
    return total;
  }

  private static FloatVector plusCentred(
      FloatVector sum,
      FloatVector g,
      ByteBuffer x,
      int at,
      FloatVector mean,
      FloatVector reciprocal) {
    return g.fma(load(x, at).sub(mean).mul(reciprocal), sum);
  }

  /** Sum of (gain * dy) * ((x - mean) * r). */
  static float centredDot(
      ByteBuffer dy,
      int dyAt,
      ByteBuffer x,
      int xAt,
      ByteBuffer gain,
      int gainAt,
      int count,
      float mean,
      float r) {
    FloatVector centre = FloatVector.broadcast(SPECIES, mean);
    FloatVector rs = FloatVector.broadcast(SPECIES, r);
    FloatVector s0 = FloatVector.zero(SPECIES);
    FloatVector s1 = s0;
    FloatVector s2 = s0;
    FloatVector s3 = s0;
    int end = count & -BLOCK;
    for (int i = 0; i < end; i += BLOCK) {
      s0 = plusCentred(s0, product(gain, gainAt + i, dy, dyAt + i), x, xAt + i, centre, rs);
      if (W < 16) {
        int j = i + W;
        s1 = plusCentred(s1, product(gain, gainAt + j, dy, dyAt + j), x, xAt + j, centre, rs);
      }
      if (W < 8) {
        int j = i + 2 * W;
        s2 = plusCentred(s2, product(gain, gainAt + j, dy, dyAt + j), x, xAt + j, centre, rs);
        j += W;
        s3 = plusCentred(s3, product(gain, gainAt + j, dy, dyAt + j), x, xAt + j, centre, rs);
      }
    }
    float total = Lanes.fold(s0, s1, s2, s3);
    for (int i = end; i < count; i++) {
      float g = gain.getFloat((gainAt + i) << 2) * dy.getFloat((dyAt + i) << 2);
      total = Math.fma(g, (x.getFloat((xAt + i) << 2) - mean) * r, total);
    }
    return total;
  }

  static FloatVector product(ByteBuffer a, int aAt, ByteBuffer b, int bAt) {
    return load(a, aAt).mul(load(b, bAt));
  }
}
