package dev.kindling.comm.reduce;

import dev.kindling.kernels.backend.Reduction;
import dev.kindling.kernels.graph.DType;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Folds equal long pieces of memory, one per rank, in the order of {@link LogicalTree}.
 *
 * <p>Works in blocks of 8 KiB on heap arrays: bulk copies between direct memory and an array run at
 * first-level-cache speed and the loop over arrays is vectorised by C2, which it does not do for
 * direct buffers on JDK 17. Every operand is read once and the destination written once, whatever
 * the number of ranks. The destination may be one of the operands. Allocates nothing after the
 * constructor. Not safe for several threads.
 */
public final class BlockFold {
  private static final int BLOCK = 2048;

  private final @Nullable SpanView[] operands;
  private final int[] offsets;
  private final float[][] floats;
  private final int[][] ints;
  private int count;

  /** Room for {@code maximum} operands. */
  public BlockFold(int maximum) {
    operands = new SpanView[maximum];
    offsets = new int[maximum];
    floats = new float[LogicalTree.depth(maximum)][BLOCK];
    ints = new int[LogicalTree.depth(maximum)][BLOCK];
  }

  /** Forgets the operands. */
  public void clear() {
    count = 0;
  }

  /** Appends the operand that starts {@code offset} bytes into {@code view}. */
  public void add(SpanView view, int offset) {
    operands[count] = view;
    offsets[count] = offset;
    count++;
  }

  /** Folds {@code bytes} bytes of every operand into {@code target} at {@code offset} bytes. */
  public void into(SpanView target, int offset, int bytes, DType dtype, Reduction op) {
    int elements = bytes / dtype.bytes();
    for (int done = 0; done < elements; done += BLOCK) {
      int n = Math.min(BLOCK, elements - done);
      if (dtype == DType.F32) {
        foldFloats(done, n, op);
        target.floats().put(offset / Float.BYTES + done, floats[0], 0, n);
      } else {
        foldInts(done, n, op);
        target.ints().put(offset / Integer.BYTES + done, ints[0], 0, n);
      }
    }
  }

  private void foldFloats(int done, int n, Reduction op) {
    int top = 0;
    for (int i = 0; i < count; i++) {
      SpanView operand = Objects.requireNonNull(operands[i]);
      operand.floats().get(offsets[i] / Float.BYTES + done, floats[top++], 0, n);
      int folds = LogicalTree.foldsAfter(i) + (i == count - 1 ? LogicalTree.foldsAtEnd(count) : 0);
      for (; folds > 0 && top > 1; folds--, top--) {
        if (op == Reduction.SUM) {
          sum(floats[top - 2], floats[top - 1], n);
        } else {
          max(floats[top - 2], floats[top - 1], n);
        }
      }
    }
  }

  private void foldInts(int done, int n, Reduction op) {
    int top = 0;
    for (int i = 0; i < count; i++) {
      SpanView operand = Objects.requireNonNull(operands[i]);
      operand.ints().get(offsets[i] / Integer.BYTES + done, ints[top++], 0, n);
      int folds = LogicalTree.foldsAfter(i) + (i == count - 1 ? LogicalTree.foldsAtEnd(count) : 0);
      for (; folds > 0 && top > 1; folds--, top--) {
        if (op == Reduction.SUM) {
          sum(ints[top - 2], ints[top - 1], n);
        } else {
          max(ints[top - 2], ints[top - 1], n);
        }
      }
    }
  }

  private static void sum(float[] left, float[] right, int n) {
    for (int i = 0; i < n; i++) {
      left[i] += right[i];
    }
  }

  private static void max(float[] left, float[] right, int n) {
    for (int i = 0; i < n; i++) {
      left[i] = Math.max(left[i], right[i]);
    }
  }

  private static void sum(int[] left, int[] right, int n) {
    for (int i = 0; i < n; i++) {
      left[i] += right[i];
    }
  }

  private static void max(int[] left, int[] right, int n) {
    for (int i = 0; i < n; i++) {
      left[i] = Math.max(left[i], right[i]);
    }
  }
}
