package dev.kindling.kernels.backend.cpu.vector;

/** Cross entropy of rows of logits. */
public interface LossKernels {
  /** Label of a row that counts for nothing. */
  int IGNORED = -100;

  /**
   * For rows [from, to): losses[row] = lse - z_target, 0 for an ignored row; returns how many rows
   * counted.
   *
   * <p>With {@code gradient} the logits are overwritten by upstream * (exp(z - lse) - 1[target]),
   * zeros for an ignored row. Columns from {@code vocabulary} to {@code ld} are padding: outside
   * the sum, gradient 0.
   *
   * @param logits F32 [T, ld]
   * @param targets I32 [T], a class or {@link #IGNORED}
   * @param losses F32 [T]
   * @throws IndexOutOfBoundsException if a target is neither
   */
  int crossEntropy(
      Operand logits,
      Operand targets,
      Operand losses,
      int ld,
      int vocabulary,
      float upstream,
      boolean gradient,
      int from,
      int to);
}
