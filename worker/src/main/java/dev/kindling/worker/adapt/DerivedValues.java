package dev.kindling.worker.adapt;

import dev.kindling.kernels.graph.Columns;
import dev.kindling.kernels.graph.op.WeightLayout;
import dev.kindling.kernels.memory.Span;
import dev.kindling.worker.model.FirstValues;
import dev.kindling.worker.model.Weight;
import java.util.List;

/** First values that follow from those of a weight, of which some rows are in memory at a time. */
final class DerivedValues {
  private DerivedValues() {}

  /**
   * L2 norms of the output rows.
   *
   * @param from first row
   */
  static void lengths(Weight weight, FirstValues first, long from, Span target) {
    long end = from + target.bytes() / Float.BYTES;
    long batch = MatrixRows.batch(weight);
    for (long begin = from; begin < end; begin += batch) {
      long stop = Math.min(end, begin + batch);
      try (MatrixRows rows = MatrixRows.read(weight, first, begin, stop)) {
        for (long out = begin; out < stop; out++) {
          double squares = 0;
          for (long in = 0; in < weight.in(); in++) {
            float x = rows.get(out, in);
            squares += (double) x * x;
          }
          target.putFloat(out - from, (float) Math.sqrt(squares));
        }
      }
    }
  }

  /**
   * Some input features, in the shape that a demand for them has.
   *
   * @param from first element
   */
  static void columns(Weight weight, Columns columns, FirstValues first, long from, Span target) {
    List<Integer> indices = columns.indices();
    int count = indices.size();
    long end = from + target.bytes() / Float.BYTES;
    if (weight.layout() == WeightLayout.IN_OUT) {
      try (MatrixRows whole = MatrixRows.read(weight, first, 0, weight.out())) {
        for (long at = from; at < end; at++) {
          int in = indices.get((int) (at / weight.out()));
          target.putFloat(at - from, whole.get(at % weight.out(), in));
        }
      }
      return;
    }
    long batch = MatrixRows.batch(weight) * count;
    for (long begin = from / count * count; begin < end; begin += batch) {
      long stop = Math.min((end + count - 1) / count * count, begin + batch);
      try (MatrixRows rows = MatrixRows.read(weight, first, begin / count, stop / count)) {
        for (long at = Math.max(from, begin); at < Math.min(end, stop); at++) {
          target.putFloat(at - from, rows.get(at / count, indices.get((int) (at % count))));
        }
      }
    }
  }
}
