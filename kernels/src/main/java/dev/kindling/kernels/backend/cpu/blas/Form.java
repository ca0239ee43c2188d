package dev.kindling.kernels.backend.cpu.blas;

/** Which factors of a matrix product are read transposed; all matrices are row-major. */
public enum Form {
  /** C[m, n] = A[m, k] B[k, n]. */
  NN(false, false),
  /** C[m, n] = A[m, k] B[n, k]^T: a linear layer with its weight stored [out, in]. */
  NT(false, true),
  /** C[m, n] = A[k, m]^T B[k, n]: a weight gradient. */
  TN(true, false);

  private final boolean transposedA;
  private final boolean transposedB;

  Form(boolean transposedA, boolean transposedB) {
    this.transposedA = transposedA;
    this.transposedB = transposedB;
  }

  public boolean transposedA() {
    return transposedA;
  }

  public boolean transposedB() {
    return transposedB;
  }
}
