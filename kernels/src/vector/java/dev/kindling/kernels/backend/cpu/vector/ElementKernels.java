package dev.kindling.kernels.backend.cpu.vector;

/** Sums, copies and fills. Ranges count elements unless a row width is given. */
public interface ElementKernels {
  /** z = x + y; z may be x or y. */
  void add(Operand x, Operand y, Operand z, int from, int to);

  /** y = fma(a, x, y). */
  void axpy(float a, Operand x, Operand y, int from, int to);

  /** y = a * x; y may be x. */
  void scale(float a, Operand x, Operand y, int from, int to);

  void copy(Operand x, Operand y, int from, int to);

  void fill(float value, Operand y, int from, int to);

  /** y[row, :] += bias for rows [from, to); y [T, width]. */
  void addBias(Operand bias, Operand y, int width, int from, int to);

  /**
   * sums[c] += sum over rows of x[row, c] in row order, for columns [from, to). x [rows, width].
   * Split by columns, so that the bits do not depend on the number of threads.
   */
  void columnSums(Operand x, Operand sums, int rows, int width, int from, int to);

  /**
   * Sum over [from, to) in fp64, 16 lanes counted from {@code from}. Split at fixed places only.
   */
  double sum(Operand x, int from, int to);

  /**
   * Sum of squares over [from, to) in fp64, 16 lanes counted from {@code from}. Split at fixed
   * places only.
   */
  double sumOfSquares(Operand x, int from, int to);

  /** Whether no element of [from, to) is infinite or NaN. */
  boolean allFinite(Operand x, int from, int to);

  /** y = exp(x), at most 1 ulp off; y may be x. */
  void exp(Operand x, Operand y, int from, int to);

  /** y = tanh(x); y may be x. */
  void tanh(Operand x, Operand y, int from, int to);

  /** y = 1 / (1 + exp(-x)); y may be x. */
  void sigmoid(Operand x, Operand y, int from, int to);
}
