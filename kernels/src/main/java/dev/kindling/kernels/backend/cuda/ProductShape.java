package dev.kindling.kernels.backend.cuda;

import dev.kindling.kernels.backend.cuda.layout.Element;

/**
 * A matrix product in row-major terms: D [m, n] = op(A) op(B) (+ D). A is stored [m, k], or [k, m]
 * when {@code transposeA}; B is stored [k, n], or [n, k] when {@code transposeB}.
 *
 * @param strideA elements from one stored row of A to the next; likewise B, D and the auxiliary
 *     matrix of the epilogue
 * @param operands element type of A and B
 * @param accumulate whether D is added to
 */
record ProductShape(
    boolean transposeA,
    boolean transposeB,
    int m,
    int n,
    int k,
    int strideA,
    int strideB,
    int strideD,
    Element operands,
    Element result,
    boolean accumulate,
    Epilogue epilogue,
    int strideAux) {

  /** What happens to D before it is stored. */
  enum Epilogue {
    NONE,
    /** + bias [n]. */
    BIAS,
    /** gelu(.), what it is taken of stored in the auxiliary matrix if there is one. */
    GELU,
    /** gelu(. + bias), the sum itself stored in the auxiliary matrix if there is one. */
    GELU_BIAS,
    /** . * gelu'(auxiliary matrix). */
    GELU_GRADIENT
  }
}
