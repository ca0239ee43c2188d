package dev.kindling.worker.adapt;

import dev.kindling.kernels.graph.op.WeightLayout;
import dev.kindling.kernels.memory.Span;
import dev.kindling.worker.model.FirstValues;
import dev.kindling.worker.model.Weight;

/**
 * A matrix with its branch added: W + s B A, rows at their trained lengths where they have one;
 * zeros of W stay zero under a masked branch. Sums in fp64, rounded once.
 *
 * @param first values of W
 * @param trained values of A, B and the lengths
 */
record MergedWeight(Branch branch, FirstValues first, FirstValues trained) {
  /** As {@link FirstValues#fill}; reads those rows of W that the target has a part of. */
  void fill(long from, Span target) {
    Weight weight = branch.weight();
    boolean outIn = weight.layout() == WeightLayout.OUT_IN;
    long end = from + target.bytes() / Float.BYTES;
    long firstRow = outIn ? from / weight.in() : 0;
    long endRow = outIn ? (end + weight.in() - 1) / weight.in() : weight.out();
    try (MatrixRows rows = MatrixRows.read(weight, first, firstRow, endRow);
        Span down = trained.whole(branch.down());
        Span up = trained.whole(branch.up());
        Span lengths =
            branch.magnitude() ? trained.whole(branch.length()) : Span.allocate(Float.BYTES)) {
      double[] row = new double[weight.in()];
      for (long out = firstRow; out < endRow; out++) {
        double factor = row(rows, down, up, out, row);
        factor = branch.magnitude() ? lengths.getFloat(out) / factor : 1;
        for (int in = 0; in < row.length; in++) {
          long at = outIn ? out * row.length + in : (long) in * weight.out() + out;
          if (at >= from && at < end) {
            target.putFloat(at - from, (float) (factor * row[in]));
          }
        }
      }
    }
  }

  /** Writes an output row of W + s B A and returns its length. */
  private double row(MatrixRows rows, Span down, Span up, long out, double[] row) {
    int ins = row.length;
    for (int in = 0; in < ins; in++) {
      row[in] = rows.get(out, in);
    }
    boolean[] pruned = new boolean[ins];
    for (int in = 0; in < ins; in++) {
      pruned[in] = branch.masked() && row[in] == 0;
    }
    for (int k = 0; k < branch.rank(); k++) {
      double factor = (double) branch.scale() * up.getFloat(out * branch.rank() + k);
      for (int in = 0; in < ins; in++) {
        row[in] += pruned[in] ? 0 : factor * down.getFloat((long) k * ins + in);
      }
    }
    double squares = 0;
    for (double x : row) {
      squares += x * x;
    }
    return Math.sqrt(squares);
  }
}
