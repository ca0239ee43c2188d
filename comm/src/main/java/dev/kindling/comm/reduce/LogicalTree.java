package dev.kindling.comm.reduce;

/**
 * The one binary tree in which partial sums are folded, so that a sum has the same bits however its
 * leaves are spread over ranks (design/reliability.md 5.2).
 *
 * <p>Leaves (logical shards, or ranks) are visited in order and pushed on a stack. After leaf
 * {@code i} the top two entries are folded {@link #foldsAfter} times, the left one as first
 * operand. For a count that is a power of two one entry is left; otherwise {@link #foldsAtEnd} more
 * folds finish. An aligned block of 2^k leaves is a subtree: a rank that folds its own block and a
 * communicator that folds the ranks in rank order make the same additions as one rank that holds
 * all leaves.
 */
public final class LogicalTree {
  private LogicalTree() {}

  /** Folds to make right after leaf {@code index} (0-based) was pushed: its trailing one bits. */
  public static int foldsAfter(int index) {
    return Integer.numberOfTrailingZeros(~index);
  }

  /** Folds left after the last of {@code count} leaves: 0 for a power of two. */
  public static int foldsAtEnd(int count) {
    return count == 0 ? 0 : Integer.bitCount(count) - 1;
  }

  /** Stack entries that {@code count} leaves need at most. */
  public static int depth(int count) {
    return count <= 1 ? 1 : 33 - Integer.numberOfLeadingZeros(count - 1);
  }
}
