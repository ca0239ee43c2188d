package dev.kindling.worker.adapt;

import dev.kindling.kernels.graph.op.WeightLayout;
import dev.kindling.kernels.memory.Span;
import dev.kindling.worker.model.FirstValues;
import dev.kindling.worker.model.Weight;

/**
 * Some output rows of a weight: a head of 128,256 rows is larger than any span. Where rows do not
 * lie side by side ([in, out]) the whole matrix is read. To be closed.
 *
 * @param first number of the first row
 * @param values of these rows, or of the whole matrix
 */
record MatrixRows(Weight weight, long first, Span values) implements AutoCloseable {
  /** What is read at a time of a matrix that is only passed through. */
  private static final long BATCH_BYTES = 16L << 20;

  /**
   * Reads rows.
   *
   * @param end behind the last of them
   * @throws dev.kindling.kernels.graph.PlanException naming a matrix that no span can hold
   */
  static MatrixRows read(Weight weight, FirstValues values, long first, long end) {
    if (weight.layout() == WeightLayout.IN_OUT) {
      return new MatrixRows(weight, first, values.whole(weight.matrix()));
    }
    Span rows = Span.allocate((end - first) * weight.in() * Float.BYTES);
    try {
      values.fill(weight.matrix(), first * weight.in(), rows);
      return new MatrixRows(weight, first, rows);
    } catch (RuntimeException | Error failure) {
      rows.close();
      throw failure;
    }
  }

  /** How many rows to read at a time where all of some are wanted, one after the other. */
  static long batch(Weight weight) {
    return weight.layout() == WeightLayout.IN_OUT
        ? weight.out()
        : Math.max(1, BATCH_BYTES / Float.BYTES / weight.in());
  }

  /**
   * @param out one of the rows
   */
  float get(long out, long in) {
    return values.getFloat(
        weight.layout() == WeightLayout.OUT_IN
            ? (out - first) * weight.in() + in
            : in * weight.out() + out);
  }

  @Override
  public void close() {
    values.close();
  }
}
