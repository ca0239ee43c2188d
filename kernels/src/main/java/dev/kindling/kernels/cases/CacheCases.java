package dev.kindling.kernels.cases;

import static dev.kindling.kernels.cases.OpCases.NORMAL;
import static dev.kindling.kernels.cases.OpCases.f32;
import static dev.kindling.kernels.cases.OpCases.i32;
import static dev.kindling.kernels.cases.OpCases.ids;

import dev.kindling.kernels.graph.AttentionShape;
import dev.kindling.kernels.graph.RopeFrequencies;
import dev.kindling.kernels.graph.op.CachedAttention;
import dev.kindling.kernels.graph.op.CrossEntropy;
import dev.kindling.kernels.graph.op.Op;
import dev.kindling.kernels.graph.op.Rope;
import dev.kindling.kernels.graph.op.WriteRows;
import java.util.List;

/** The lines of the case table about generation with a cache of keys and values. */
final class CacheCases {
  private static final AttentionShape LARGE = new AttentionShape(8, 4, 64, 512);
  private static final AttentionShape WINDOW = new AttentionShape(4, 2, 8, 13, 5);

  private final OpCases cases;

  private CacheCases(OpCases cases) {
    this.cases = cases;
  }

  /** Two sequences; the large lines are one step of sixteen. */
  static void add(OpCases cases, boolean large) {
    CacheCases lines = new CacheCases(cases);
    for (AttentionShape shape : large ? List.of(LARGE) : AttentionCases.SHAPES) {
      lines.cache(shape, large ? 16 : 2);
    }
    if (!large) {
      lines.cache(WINDOW, 2);
      lines.cache(WINDOW, 7);
      lines.add(
          "beyond",
          new Rope(6, RopeFrequencies.of(10000), false, 99),
          2,
          f32(NORMAL, 5, 18),
          ids(99, 5));
    }
  }

  private void add(String name, Op op, int reduction, OpCase.Input... inputs) {
    cases.together(name, 1, op, reduction, inputs);
  }

  private void cache(AttentionShape shape, int sequences) {
    int width = shape.kvHeads() * shape.headDim();
    int rows = sequences * shape.sequence();
    OpCase.Input q = f32(NORMAL, sequences, shape.heads() * shape.headDim());
    OpCase.Input k = f32(NORMAL, rows, width);
    OpCase.Input full = i32((random, i) -> Math.max(0, shape.sequence() - i), sequences);
    OpCase.Input half = i32((random, i) -> Math.floorDiv(shape.sequence() + 1, 2), sequences);
    int n = 4 * shape.sequence() * shape.headDim();
    add(shape + " full", new CachedAttention(shape), n, q, k, k, full);
    add(shape + " half", new CachedAttention(shape), n, q, k, k, half);
    OpCase.Input places =
        i32((random, i) -> i % 3 == 1 ? CrossEntropy.IGNORED : rows - 1 - i, sequences);
    add(shape + "", new WriteRows(), 1, f32(NORMAL, sequences, width), k, places);
  }
}
