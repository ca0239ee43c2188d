package dev.kindling.kernels.backend.cpu.vector;

import java.nio.ByteBuffer;

/** Plain Java {@link TileKernel}. */
public final class ScalarTile implements TileKernel {
  @Override
  public int columns() {
    return 8;
  }

  @Override
  public void multiplyAdd(
      int k, ByteBuffer a, int aAt, ByteBuffer b, int bAt, ByteBuffer c, int cAt, int ldc) {
    for (int i = 0; i < ROWS; i++) {
      for (int j = 0; j < 8; j++) {
        int at = (cAt + i * ldc + j) << 2;
        float sum = c.getFloat(at);
        for (int p = 0; p < k; p++) {
          float x = a.getFloat((aAt + p * ROWS + i) << 2);
          sum = Math.fma(x, b.getFloat((bAt + p * 8 + j) << 2), sum);
        }
        c.putFloat(at, sum);
      }
    }
  }
}
