package dev.kindling.kernels.backend.cpu.blas;

import dev.kindling.kernels.backend.cpu.row.RowKernels;
import dev.kindling.kernels.backend.cpu.vector.Operand;
import dev.kindling.kernels.backend.cpu.vector.TileKernel;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Matrix product in pure Java: each element of C is one chain of fused multiply-adds over k in
 * rising order that begins at beta C, so that its bits depend neither on vector width, nor CPU, nor
 * on blocks and threads.
 *
 * <p>Both factors are packed into blocks that fit the second-level cache, in a scratch of about 0.6
 * MiB per thread.
 */
public final class JavaMatmul implements Matmul {
  private static final int ROW_BLOCK = 256;
  private static final int DEPTH_BLOCK = 512;

  private final TileKernel tile;
  private final int columns;
  private final ThreadLocal<Scratch> scratch = ThreadLocal.withInitial(this::newScratch);

  JavaMatmul(TileKernel tile) {
    this.tile = tile;
    this.columns = tile.columns();
  }

  public JavaMatmul() {
    this(RowKernels.best().tile());
  }

  private record Scratch(ByteBuffer a, ByteBuffer b, ByteBuffer c) {}

  private Scratch newScratch() {
    return new Scratch(
        floats(ROW_BLOCK * DEPTH_BLOCK),
        floats(columns * DEPTH_BLOCK),
        floats(TileKernel.ROWS * columns));
  }

  private static ByteBuffer floats(int count) {
    return ByteBuffer.allocateDirect(count * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
  }

  @Override
  public String name() {
    return "java";
  }

  @Override
  public boolean reproducible() {
    return true;
  }

  @Override
  public void multiply(
      Form form,
      int m,
      int n,
      int k,
      float alpha,
      Operand a,
      int lda,
      Operand b,
      int ldb,
      float beta,
      Operand c,
      int ldc) {
    begin(c, ldc, m, n, beta);
    Scratch own = scratch.get();
    for (int p = 0; p < k; p += DEPTH_BLOCK) {
      int depth = Math.min(DEPTH_BLOCK, k - p);
      for (int i = 0; i < m; i += ROW_BLOCK) {
        int rows = Math.min(ROW_BLOCK, m - i);
        if (form.transposedA()) {
          packRows(own.a(), a, p * lda + i, 1, lda, rows, depth, alpha);
        } else {
          packRows(own.a(), a, i * lda + p, lda, 1, rows, depth, alpha);
        }
        for (int j = 0; j < n; j += columns) {
          int width = Math.min(columns, n - j);
          if (form.transposedB()) {
            packColumns(own.b(), b, j * ldb + p, ldb, 1, width, depth);
          } else {
            packColumns(own.b(), b, p * ldb + j, 1, ldb, width, depth);
          }
          panel(own, c.buffer(), c.at() + i * ldc + j, ldc, rows, width, depth);
        }
      }
    }
  }

  private static void begin(Operand c, int ldc, int m, int n, float beta) {
    if (beta == 1f) {
      return;
    }
    for (int i = 0; i < m; i++) {
      for (int j = 0; j < n; j++) {
        c.set(i * ldc + j, beta == 0f ? 0f : beta * c.get(i * ldc + j));
      }
    }
  }

  /** Packs alpha A as [rows / 4][depth][4], the last group filled up with zeros. */
  private static void packRows(
      ByteBuffer to, Operand a, int at, int row, int step, int rows, int depth, float alpha) {
    ByteBuffer from = a.buffer();
    for (int i = 0; i < rows; i += TileKernel.ROWS) {
      for (int r = 0; r < TileKernel.ROWS; r++) {
        int target = i * depth + r;
        int source = a.at() + at + (i + r) * row;
        boolean inside = i + r < rows;
        for (int p = 0; p < depth; p++) {
          float value = inside ? alpha * from.getFloat((source + p * step) << 2) : 0f;
          to.putFloat((target + p * TileKernel.ROWS) << 2, value);
        }
      }
    }
  }

  /** Packs B as [depth][columns], the rest of a row filled up with zeros. */
  private void packColumns(
      ByteBuffer to, Operand b, int at, int column, int step, int width, int depth) {
    ByteBuffer from = b.buffer();
    for (int j = 0; j < columns; j++) {
      int source = b.at() + at + j * column;
      boolean inside = j < width;
      for (int p = 0; p < depth; p++) {
        float value = inside ? from.getFloat((source + p * step) << 2) : 0f;
        to.putFloat((p * columns + j) << 2, value);
      }
    }
  }

  private void panel(Scratch own, ByteBuffer c, int cAt, int ldc, int rows, int width, int depth) {
    for (int i = 0; i < rows; i += TileKernel.ROWS) {
      int at = cAt + i * ldc;
      int height = Math.min(TileKernel.ROWS, rows - i);
      if (height == TileKernel.ROWS && width == columns) {
        tile.multiplyAdd(depth, own.a(), i * depth, own.b(), 0, c, at, ldc);
      } else {
        edge(own, c, at, ldc, height, width, i * depth, depth);
      }
    }
  }

  private void edge(
      Scratch own, ByteBuffer c, int at, int ldc, int height, int width, int aAt, int depth) {
    for (int i = 0; i < height; i++) {
      own.c().put((i * columns) << 2, c, (at + i * ldc) << 2, width << 2);
    }
    tile.multiplyAdd(depth, own.a(), aAt, own.b(), 0, own.c(), 0, columns);
    for (int i = 0; i < height; i++) {
      c.put((at + i * ldc) << 2, own.c(), (i * columns) << 2, width << 2);
    }
  }
}
