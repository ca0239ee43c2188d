package dev.kindling.kernels.cases;

import static dev.kindling.kernels.cases.OpCases.NORMAL;
import static dev.kindling.kernels.cases.OpCases.POSITIVE;
import static dev.kindling.kernels.cases.OpCases.f32;

import dev.kindling.kernels.graph.Axis;
import dev.kindling.kernels.graph.Channels;
import dev.kindling.kernels.graph.op.Op;
import dev.kindling.kernels.graph.op.ScaledUpdate;
import dev.kindling.kernels.graph.op.Sketch;
import dev.kindling.kernels.graph.op.SketchMoments;

/** The lines of the case table about updates that a sketch of the gradient scales. */
final class SketchCases {
  private static final OpCase.Input STEP =
      f32((random, i) -> new double[] {1e-2, 0.19, 0.05, 0.7, 403}[i], 5);
  private static final OpCase.Input SCALE = f32(POSITIVE, 1);
  private static final OpCase.Input SKIP = f32((random, i) -> 0, 1);

  private final OpCases cases;

  private SketchCases(OpCases cases) {
    this.cases = cases;
  }

  /** Wide, tall and square matrices, a single number, pieces of rows. */
  static void add(OpCases cases, boolean large) {
    SketchCases lines = new SketchCases(cases);
    if (large) {
      lines.matrix(new Channels(1024, 512, 1), 128);
      lines.matrix(new Channels(512, 1376, 1), 1);
      return;
    }
    for (int rank : new int[] {1, 4, 9}) {
      lines.matrix(new Channels(1, 1, 1), rank);
      lines.matrix(new Channels(13, 13, 1), rank);
      lines.matrix(new Channels(13, 207, 1), rank);
      lines.matrix(new Channels(208, 12, 1), rank);
      lines.matrix(new Channels(48, 640, 1), rank);
      lines.matrix(new Channels(64, 48, 4), rank);
    }
  }

  private void add(String name, Op op, int reduction, OpCase.Input... inputs) {
    cases.together(name, 1, op, reduction, inputs);
  }

  private void matrix(Channels channels, int rank) {
    String name = channels.rows() + "x" + channels.columns() + " rank " + rank;
    OpCase.Input kept = new OpCase.Input(channels.kept(), NORMAL);
    Op sketch = new Sketch(channels, rank, 77, 200, Axis.DATA);
    add(name, sketch, channels.contracted(), kept, STEP);
    OpCase.Input small = f32(NORMAL, channels.own(), rank);
    OpCase.Input moment = f32(POSITIVE, channels.own(), rank);
    OpCase.Input squares = f32(POSITIVE, channels.own());
    for (boolean perChannel : new boolean[] {true, false}) {
      Op moments = new SketchMoments(0.9f, 0.95f, 1e-6f, perChannel, perChannel ? 1 : 2);
      add(name, moments, 4 * rank, small, squares, small, moment, SCALE);
      add(name + " skips", moments, 1, small, squares, small, moment, SKIP);
      update(name, channels, perChannel, kept);
    }
  }

  private void update(String name, Channels channels, boolean perChannel, OpCase.Input kept) {
    OpCase.Input factors = f32(POSITIVE, channels.own());
    OpCase.Input sums = f32((random, i) -> new double[] {3, 0.5, 40}[i], SketchMoments.SUMS);
    OpCase.Input norm = f32((random, i) -> 2, 1);
    OpCase.Input[] inputs = {kept, kept, factors, sums, norm, SCALE, STEP};
    Op limited = new ScaledUpdate(channels, perChannel, 2, false, 1.01f, 0.1f);
    add(name + " limited", limited, 4, inputs);
    add(name + " skips", limited, 1, kept, kept, factors, sums, norm, SKIP, STEP);
    OpCase.Input first = f32((random, i) -> 0, 1);
    add(
        name + " first, in front",
        new ScaledUpdate(channels, perChannel, 2, true, 1.01f, 0),
        4,
        kept,
        kept,
        factors,
        sums,
        first,
        SCALE,
        STEP);
    Op free = new ScaledUpdate(channels, perChannel, 1, false, 0, 0.1f);
    add(name + " free", free, 4, kept, kept, factors, sums, SCALE, STEP);
  }
}
