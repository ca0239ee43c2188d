package dev.kindling.kernels.backend.cpu.blas;

import dev.kindling.kernels.backend.cpu.vector.Operand;

/**
 * Matrix product in pure Java: each element of C is one chain of fused multiply-adds over k in rising order that begins
 * at beta C, so that its bits depend neither on vector width, nor CPU, nor on blocks and threads.
 */
public final class JavaMatmul implements Matmul {
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
    int aRow = form.transposedA() ? 1 : lda;
    int aStep = form.transposedA() ? lda : 1;
    int bColumn = form.transposedB() ? ldb : 1;
    int bStep = form.transposedB() ? 1 : ldb;
    for (int i = 0; i < m; i++) {
      for (int j = 0; j < n; j++) {
        float sum = beta == 0f ? 0f : beta * c.get(i * ldc + j);
        for (int p = 0; p < k; p++) {
          float x = alpha * a.get(i * aRow + p * aStep);
          sum = Math.fma(x, b.get(j * bColumn + p * bStep), sum);
        }
        c.set(i * ldc + j, sum);
      }
    }
  }
}
