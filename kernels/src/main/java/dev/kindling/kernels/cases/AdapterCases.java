package dev.kindling.kernels.cases;

import static dev.kindling.kernels.cases.OpCases.NORMAL;
import static dev.kindling.kernels.cases.OpCases.f32;
import static dev.kindling.kernels.cases.OpCases.i32;

import dev.kindling.kernels.graph.Columns;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.op.DequantizeNf4;
import dev.kindling.kernels.graph.op.Dropout;
import dev.kindling.kernels.graph.op.LinearOnto;
import dev.kindling.kernels.graph.op.Magnitude;
import dev.kindling.kernels.graph.op.MagnitudeGradient;
import dev.kindling.kernels.graph.op.MaskedGradient;
import dev.kindling.kernels.graph.op.MaskedWeight;
import dev.kindling.kernels.graph.op.Nf4;
import dev.kindling.kernels.graph.op.Op;
import dev.kindling.kernels.graph.op.RowNorms;
import dev.kindling.kernels.graph.op.Scale;
import dev.kindling.kernels.graph.op.ScatterColumns;
import dev.kindling.kernels.graph.op.WeightLayout;
import java.util.List;

/** The lines of the case table about adapters. */
final class AdapterCases {
  /** Half of it zeros, the rest far from zero. */
  private static final OpCase.Draw PRUNED =
      (random, i) -> random.nextBoolean() ? 0 : random.nextDouble(0.5, 2);

  private static final OpCase.Draw POSITIVE = (random, i) -> random.nextDouble(0.5, 2);

  /** Tokens, input and output features, rank. */
  private static final int[][] SHAPES = {
    {1, 1, 1, 1}, {7, 13, 5, 3}, {13, 207, 33, 2}, {65, 48, 96, 8}
  };

  private static final int[] LARGE = {1024, 512, 1376, 8};

  private final OpCases cases;

  private AdapterCases(OpCases cases) {
    this.cases = cases;
  }

  static void add(OpCases cases, boolean large) {
    AdapterCases lines = new AdapterCases(cases);
    for (int[] shape : large ? new int[][] {LARGE} : SHAPES) {
      lines.branch(shape[0], shape[2], shape[3]);
      lines.elements(shape[0], shape[2]);
      lines.packed(shape[2], shape[1]);
      for (WeightLayout layout : WeightLayout.values()) {
        lines.weights(layout, shape[1], shape[2], shape[3]);
      }
    }
  }

  private void add(String name, Op op, int reduction, OpCase.Input... inputs) {
    cases.together(name, 1, op, reduction, inputs);
  }

  private void branch(int tokens, int outs, int rank) {
    OpCase.Input hidden = f32(NORMAL, tokens, rank);
    OpCase.Input y = f32(NORMAL, tokens, outs);
    add("rank " + rank, new Scale(-1.5f), 1, hidden);
    add("rank " + rank, new LinearOnto(), rank, hidden, f32(NORMAL, outs, rank), y);
    add("over", new LinearOnto(true), rank, hidden, f32(NORMAL, outs, rank), y);
  }

  private void elements(int tokens, int width) {
    OpCase.Input x = f32(NORMAL, tokens, width);
    OpCase.Input m = f32(POSITIVE, width);
    OpCase.Input place = i32((random, i) -> i == 0 ? -3 : 5, 2);
    add("rate 0.25", new Dropout(0.25f, 42), 1, x, place);
    add("rate 0", new Dropout(0f, 42), 1, x, place);
    add("", new Magnitude(false), 2, x, m, m);
    add("bias", new Magnitude(true), 2, x, m, m, f32(NORMAL, width));
    add("", new MagnitudeGradient(), tokens, x, x, m, m);
  }

  /** All 16 levels and all 256 scales, in a matrix of several groups where it is large. */
  private void packed(int outs, int ins) {
    Shape shape = Shape.of(outs, ins);
    OpCase.Draw bytes =
        (random, i) -> i % 2 == 0 ? random.nextInt(1 << 24) : random.nextInt(256) << 24;
    OpCase.Input codes = new OpCase.Input(Nf4.codes(shape.elements()), bytes);
    OpCase.Input scales = new OpCase.Input(Nf4.scales(shape.elements()), bytes);
    OpCase.Input statistics = new OpCase.Input(Nf4.statistics(shape.elements()), POSITIVE);
    add("", new DequantizeNf4(shape), 2, codes, scales, statistics);
  }

  private void weights(WeightLayout layout, int ins, int outs, int rank) {
    int[] whole = layout.shape(outs, ins).dims().stream().mapToInt(d -> d).toArray();
    int[] some = layout.shape(outs, Math.min(2, ins)).dims().stream().mapToInt(d -> d).toArray();
    OpCase.Input weight = f32(NORMAL, whole);
    Columns columns = new Columns(ins > 1 ? List.of(ins - 1, 0) : List.of(0));
    Op scatter = new ScatterColumns(layout, columns, 0.5f);
    add(layout + "", scatter, 1, f32(NORMAL, some), f32(NORMAL, some), weight);
    OpCase.Input down = f32(NORMAL, rank, ins);
    OpCase.Input up = f32(NORMAL, outs, rank);
    add(layout + "", new RowNorms(layout, 0.5f), ins + rank, weight, down, up);
    OpCase.Input pruned = f32(PRUNED, whole);
    add(layout + "", new MaskedWeight(layout, -1.5f), rank, pruned, down, up);
    add(layout + "", new MaskedGradient(layout, -1.5f), 1, f32(NORMAL, outs, ins), pruned);
  }
}
