package dev.kindling.worker.adapt;

import dev.kindling.kernels.graph.Columns;
import dev.kindling.kernels.graph.Demand;
import dev.kindling.kernels.graph.Init;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.op.WeightLayout;
import dev.kindling.kernels.memory.Span;
import dev.kindling.kernels.random.Initialization;
import dev.kindling.kernels.random.Philox;
import dev.kindling.worker.model.FirstValues;
import dev.kindling.worker.model.TrainedColumns;
import dev.kindling.worker.model.Weight;
import java.util.Arrays;
import java.util.Collections;

/**
 * A linear map of which some input columns are trained.
 *
 * @param scale what the delta is multiplied by
 */
record PartialWeight(Weight weight, Columns columns, float scale) {
  static final String DELTA = ".paca_delta";
  static final String BASE = ".paca_base";

  /** Keeps these streams apart from those that fill parameters with small seeds. */
  private static final long COLUMNS = 0x636F6C756D6E7300L;

  /** The first {@code count} of a random permutation of the columns, sorted. */
  static PartialWeight chosen(Weight weight, int count, float scale, long seed) {
    long key = Initialization.key(seed ^ COLUMNS, weight.name());
    int[] all = new int[weight.in()];
    Arrays.setAll(all, i -> i);
    for (int i = 0; i < count; i++) {
      int other = i + (int) (Philox.uniform(key, i) * (all.length - i));
      int taken = all[other];
      all[other] = all[i];
      all[i] = taken;
    }
    int[] chosen = Arrays.copyOf(all, count);
    Arrays.sort(chosen);
    return new PartialWeight(weight, new Columns(Arrays.stream(chosen).boxed().toList()), scale);
  }

  /** The whole matrix, of which these columns are demanded. */
  Param matrix() {
    return FrozenWeights.demanding(weight.matrix(), columns);
  }

  /**
   * Adds the trained delta to its columns.
   *
   * @param target a run of the matrix's elements, which begins with element {@code from}
   */
  void write(FirstValues trained, long from, Span target) {
    Param delta = trained().delta();
    boolean outIn = weight.layout() == WeightLayout.OUT_IN;
    int count = columns.indices().size();
    int width = outIn ? weight.in() : weight.out();
    try (Span deltas = trained.whole(delta)) {
      for (long at = from; at < from + target.bytes() / Float.BYTES; at++) {
        int in = (int) (outIn ? at % width : at / width);
        long out = outIn ? at / width : at % width;
        int k = Collections.binarySearch(columns.indices(), in);
        if (k >= 0) {
          float moved = deltas.getFloat(outIn ? out * count + k : (long) k * width + out);
          target.putFloat(at - from, target.getFloat(at - from) + scale * moved);
        }
      }
    }
  }

  TrainedColumns trained() {
    Shape shape = weight.layout().columns(weight.matrix().shape(), columns);
    Param delta = new Param(weight.name() + DELTA, shape, Demand.whole(), Init.zeros(), true);
    Param base = new Param(weight.name() + BASE, shape, Demand.none(), Init.zeros(), false);
    return new TrainedColumns(delta, base, weight.layout(), columns, scale);
  }
}
