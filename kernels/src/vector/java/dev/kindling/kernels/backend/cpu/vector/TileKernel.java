package dev.kindling.kernels.backend.cpu.vector;

import java.nio.ByteBuffer;

/**
 * The innermost block of a matrix product: 4 rows of C by {@link #columns} columns, over packed
 * factors.
 */
public interface TileKernel {
  int ROWS = 4;

  /** Width of a tile. */
  int columns();

  /**
   * c[i, j] = fma(a[p, i], b[p, j], c[i, j]) for p = 0 to k - 1 in this order; a is packed [k, 4],
   * b [k, columns]; {@code aAt}, {@code bAt}, {@code cAt} are elements of their buffers.
   */
  void multiplyAdd(
      int k, ByteBuffer a, int aAt, ByteBuffer b, int bAt, ByteBuffer c, int cAt, int ldc);
}
