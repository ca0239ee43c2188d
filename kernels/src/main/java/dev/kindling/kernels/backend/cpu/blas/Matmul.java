package dev.kindling.kernels.backend.cpu.blas;

import dev.kindling.kernels.backend.cpu.vector.Operand;

/**
 * Row-major fp32 matrix product C = alpha op(A) op(B) + beta C on direct buffers.
 *
 * <p>A leading dimension is the distance of two rows in elements. With beta 0 the old content of C
 * is not read (it may be NaN). C must not overlap A or B. Calls from several threads at once are
 * allowed on disjoint C.
 */
public interface Matmul {
  String name();

  void multiply(
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
      int ldc);

  /**
   * Whether the bits of a product depend neither on the CPU nor on how its rows are split over
   * threads.
   */
  boolean reproducible();

  /**
   * OpenBLAS with its process-wide thread count set to {@code threads}; pure Java, and one warning
   * line per JVM with the reason, if the native library does not load.
   */
  static Matmul openBlas(int threads) {
    return OpenBlasFallback.open(threads);
  }

  /** Pure Java, reproducible. */
  static Matmul pureJava() {
    return new JavaMatmul();
  }
}
