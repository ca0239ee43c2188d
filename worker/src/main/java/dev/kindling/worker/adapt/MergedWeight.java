package dev.kindling.worker.adapt;

import dev.kindling.kernels.graph.Param;
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
  /** As {@link FirstValues#fill}; reads W as a whole. */
  void fill(long from, Span target) {
    Weight weight = branch.weight();
    boolean outIn = weight.layout() == WeightLayout.OUT_IN;
    try (Span whole = read(first, weight.matrix());
        Span down = read(trained, branch.down());
        Span up = read(trained, branch.up());
        Span lengths =
            branch.magnitude() ? read(trained, branch.length()) : Span.allocate(Float.BYTES)) {
      double[] row = new double[weight.in()];
      for (int out = 0; out < weight.out(); out++) {
        double factor = row(whole, down, up, out, row);
        if (branch.magnitude()) {
          factor = lengths.getFloat(out) / factor;
        } else {
          factor = 1;
        }
        for (int in = 0; in < row.length; in++) {
          long at = outIn ? (long) out * row.length + in : (long) in * weight.out() + out;
          if (at >= from && at < from + target.bytes() / Float.BYTES) {
            target.putFloat(at - from, (float) (factor * row[in]));
          }
        }
      }
    }
  }

  /** Writes an output row of W + s B A and returns its length. */
  private double row(Span whole, Span down, Span up, int out, double[] row) {
    Weight weight = branch.weight();
    boolean outIn = weight.layout() == WeightLayout.OUT_IN;
    int ins = row.length;
    for (int in = 0; in < ins; in++) {
      row[in] = whole.getFloat(outIn ? (long) out * ins + in : (long) in * weight.out() + out);
    }
    boolean[] pruned = new boolean[ins];
    for (int in = 0; in < ins; in++) {
      pruned[in] = branch.masked() && row[in] == 0;
    }
    for (int k = 0; k < branch.rank(); k++) {
      double factor = (double) branch.scale() * up.getFloat((long) out * branch.rank() + k);
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

  private static Span read(FirstValues values, Param param) {
    Span span = Span.allocate(param.type().bytes());
    values.fill(param, 0, span);
    return span;
  }
}
