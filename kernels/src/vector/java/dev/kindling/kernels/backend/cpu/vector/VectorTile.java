package dev.kindling.kernels.backend.cpu.vector;

import static dev.kindling.kernels.backend.cpu.vector.Lanes.SPECIES;
import static dev.kindling.kernels.backend.cpu.vector.Lanes.W;
import static dev.kindling.kernels.backend.cpu.vector.Lanes.load;
import static dev.kindling.kernels.backend.cpu.vector.Lanes.store;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;

/**
 * Vector API {@link TileKernel}: 4 by 2 vectors, eight accumulators, which is what hides the
 * latency of two multiply-add units and still fits 16 registers.
 */
public final class VectorTile implements TileKernel {
  private static final ByteOrder ORDER = ByteOrder.LITTLE_ENDIAN;

  @Override
  public int columns() {
    return 2 * W;
  }

  @Override
  public void multiplyAdd(
      int k, ByteBuffer a, int aAt, ByteBuffer b, int bAt, ByteBuffer c, int cAt, int ldc) {
    // The first loads call the JDK directly: a helper that runs once per tile might not be inlined,
    // and then the
    // accumulators would live in boxes.
    FloatVector c00 = FloatVector.fromByteBuffer(SPECIES, c, (cAt) << 2, ORDER);
    FloatVector c01 = FloatVector.fromByteBuffer(SPECIES, c, (cAt + W) << 2, ORDER);
    FloatVector c10 = FloatVector.fromByteBuffer(SPECIES, c, (cAt + ldc) << 2, ORDER);
    FloatVector c11 = FloatVector.fromByteBuffer(SPECIES, c, (cAt + ldc + W) << 2, ORDER);
    FloatVector c20 = FloatVector.fromByteBuffer(SPECIES, c, (cAt + 2 * ldc) << 2, ORDER);
    FloatVector c21 = FloatVector.fromByteBuffer(SPECIES, c, (cAt + 2 * ldc + W) << 2, ORDER);
    FloatVector c30 = FloatVector.fromByteBuffer(SPECIES, c, (cAt + 3 * ldc) << 2, ORDER);
    FloatVector c31 = FloatVector.fromByteBuffer(SPECIES, c, (cAt + 3 * ldc + W) << 2, ORDER);
    int at = bAt;
    for (int p = 0; p < k; p++) {
      FloatVector b0 = load(b, at);
      FloatVector b1 = load(b, at + W);
      at += 2 * W;
      FloatVector x = FloatVector.broadcast(SPECIES, a.getFloat((aAt + 4 * p) << 2));
      c00 = x.fma(b0, c00);
      c01 = x.fma(b1, c01);
      x = FloatVector.broadcast(SPECIES, a.getFloat((aAt + 4 * p + 1) << 2));
      c10 = x.fma(b0, c10);
      c11 = x.fma(b1, c11);
      x = FloatVector.broadcast(SPECIES, a.getFloat((aAt + 4 * p + 2) << 2));
      c20 = x.fma(b0, c20);
      c21 = x.fma(b1, c21);
      x = FloatVector.broadcast(SPECIES, a.getFloat((aAt + 4 * p + 3) << 2));
      c30 = x.fma(b0, c30);
      c31 = x.fma(b1, c31);
    }
    store(c00, c, cAt);
    store(c01, c, cAt + W);
    store(c10, c, cAt + ldc);
    store(c11, c, cAt + ldc + W);
    store(c20, c, cAt + 2 * ldc);
    store(c21, c, cAt + 2 * ldc + W);
    store(c30, c, cAt + 3 * ldc);
    store(c31, c, cAt + 3 * ldc + W);
  }
}
