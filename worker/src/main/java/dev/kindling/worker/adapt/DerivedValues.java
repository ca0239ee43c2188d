package dev.kindling.worker.adapt;

import dev.kindling.kernels.graph.Columns;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.op.WeightLayout;
import dev.kindling.kernels.memory.Span;
import dev.kindling.worker.model.FirstValues;
import dev.kindling.worker.model.Weight;
import java.util.List;

/** First values that follow from those of a weight, which are read as a whole. */
final class DerivedValues {
  private DerivedValues() {}

  /**
   * L2 norms of the output rows.
   *
   * @param from first row
   */
  static void lengths(Weight weight, FirstValues first, long from, Span target) {
    boolean outIn = weight.layout() == WeightLayout.OUT_IN;
    try (Span whole = whole(weight, first)) {
      for (int i = 0; i < target.bytes() / Float.BYTES; i++) {
        long out = from + i;
        double squares = 0;
        for (long in = 0; in < weight.in(); in++) {
          float x = whole.getFloat(outIn ? out * weight.in() + in : in * weight.out() + out);
          squares += (double) x * x;
        }
        target.putFloat(i, (float) Math.sqrt(squares));
      }
    }
  }

  /**
   * Some input features, in the shape that a demand for them has.
   *
   * @param from first element
   */
  static void columns(Weight weight, Columns columns, FirstValues first, long from, Span target) {
    boolean outIn = weight.layout() == WeightLayout.OUT_IN;
    List<Integer> indices = columns.indices();
    try (Span whole = whole(weight, first)) {
      for (int i = 0; i < target.bytes() / Float.BYTES; i++) {
        long at = from + i;
        long source =
            outIn
                ? at / indices.size() * weight.in() + indices.get((int) (at % indices.size()))
                : indices.get((int) (at / weight.out())) * (long) weight.out() + at % weight.out();
        target.putFloat(i, whole.getFloat(source));
      }
    }
  }

  private static Span whole(Weight weight, FirstValues first) {
    Param matrix = weight.matrix();
    Span whole = Span.allocate(matrix.type().bytes());
    first.fill(matrix, 0, whole);
    return whole;
  }
}
