package dev.kindling.kernels.backend.cpu.vector;

/**
 * The parts of attention between its matrix products, one row of scores a call, and the rotary
 * embedding.
 *
 * <p>A row has {@code columns} scores, best a multiple of 16; key j is visible to it for first <= j
 * < limit (limit = i + 1 for causal attention, first = start of the document). Rows begin at
 * element {@code x.at() + at}.
 */
public interface AttentionKernels {
  /**
   * Overwrites raw scores s with p = exp(scale * s - lse), exact zeros where not visible, and
   * returns lse, the natural logarithm of the sum of exp(scale * s). A row that sees nothing
   * becomes zeros and returns +infinity, so that {@link #probabilityRow} gives zeros too. scale >
   * 0.
   */
  float softmaxRow(Operand s, int at, int columns, int first, int limit, float scale);

  /**
   * Overwrites raw scores with p = exp(scale * s - lse), the recomputation of the gradient pass.
   */
  void probabilityRow(Operand s, int at, int columns, int first, int limit, float scale, float lse);

  /** Overwrites dP with dS = p * (dP - d) * scale, where d = sum of dO * O over the head. */
  void scoreGradientRow(
      Operand p, int pAt, Operand dp, int dpAt, int columns, float d, float scale);

  /** Sum of a * b over {@code count} elements in 16 lanes. */
  float dot(Operand a, int aAt, Operand b, int bAt, int count);

  /**
   * Rotary embedding, half-split (HF Llama): y_i = x_i c - x_{i+C/2} s, y_{i+C/2} = x_{i+C/2} c +
   * x_i s, for rows [from, to) of x with row stride {@code ld}, on the first heads * headDim
   * columns; {@code inverse} uses -s and is the gradient. y may be x and has the same stride.
   *
   * @param positions I32 [T]
   * @param table F32 [positions, headDim], see {@link RopeTable}
   */
  void rope(
      Operand x,
      Operand y,
      int ld,
      int heads,
      int headDim,
      Operand positions,
      Operand table,
      boolean inverse,
      int from,
      int to);
}
