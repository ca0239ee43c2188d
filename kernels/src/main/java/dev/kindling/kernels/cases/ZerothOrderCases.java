package dev.kindling.kernels.cases;

import static dev.kindling.kernels.cases.OpCases.NORMAL;
import static dev.kindling.kernels.cases.OpCases.f32;
import static dev.kindling.kernels.cases.OpCases.i32;

import dev.kindling.kernels.graph.op.AddLoss;
import dev.kindling.kernels.graph.op.CrossEntropy;
import dev.kindling.kernels.graph.op.Mezo;
import dev.kindling.kernels.graph.op.Op;
import dev.kindling.kernels.graph.op.Perturb;
import dev.kindling.kernels.graph.op.ProjectedGradient;
import dev.kindling.kernels.graph.op.Upload;
import java.util.Optional;

/** The lines of the case table about training without gradients. */
final class ZerothOrderCases {
  private static final int[][] WEIGHTS = {{1}, {9}, {1, 1}, {7, 13}, {13, 207}, {64, 48}};
  private static final int[][] LARGE_WEIGHTS = {{1024, 4096}};
  private static final int[][] LOGITS = {{1, 1}, {1, 2}, {7, 13}, {13, 207}, {3, 8003}};
  private static final int[][] LARGE_LOGITS = {{1024, 8192}};
  private static final long KEY = 0x1234_5678_9ABC_DEF0L;
  private static final OpCase.Input STEP =
      f32((random, i) -> new double[] {1e-2, 0.19, 0.05, 0.7, 3}[i], 5);
  private static final OpCase.Input ZERO = f32((random, i) -> 0, 1);
  private static final OpCase.Input HALF = f32((random, i) -> 0.5, 1);

  private final OpCases cases;

  private ZerothOrderCases(OpCases cases) {
    this.cases = cases;
  }

  static void add(OpCases cases, boolean large) {
    ZerothOrderCases lines = new ZerothOrderCases(cases);
    for (int[] d : large ? LARGE_WEIGHTS : WEIGHTS) {
      lines.weights(d);
    }
    for (int[] d : large ? LARGE_LOGITS : LOGITS) {
      lines.losses(d);
    }
    lines.slopes();
  }

  private void add(String name, Op op, int reduction, OpCase.Input... inputs) {
    cases.together(name, 1, op, reduction, inputs);
  }

  private void weights(int[] dims) {
    OpCase.Input p = f32(NORMAL, dims);
    OpCase.Input one = f32((random, i) -> 1.5, 1);
    OpCase.Input slopes = f32(NORMAL, 3);
    Optional<Long> none = Optional.empty();
    add("", new Perturb(KEY, 1e-3f, 0, false), 1, p, STEP);
    add("", new Upload(), 1, p);
    add("other direction", new Perturb(-1, 1e-2f, 5, false), 1, p, STEP);
    add("masked", new Perturb(KEY, 1e-3f, 1, true), 1, p, HALF, STEP);
    add("", new Mezo(KEY, 1, 0, false, none), 4, p, one, one, STEP);
    add("decays", new Mezo(KEY, 3, 0.1f, false, none), 4, p, slopes, one, STEP);
    add("masked", new Mezo(KEY, 3, 0.1f, true, none), 4, p, slopes, one, HALF, STEP);
    add("skips", new Mezo(KEY, 3, 0.1f, false, none), 1, p, slopes, ZERO, STEP);
  }

  private void losses(int[] dims) {
    OpCase.Input targets =
        i32((random, i) -> i % 4 == 3 ? CrossEntropy.IGNORED : random.nextInt(dims[1]), dims[0]);
    OpCase.Input sums = f32((random, i) -> i % 2 == 0 ? 37.5 + i : 0x1.0p-20, 4);
    OpCase.Input count = f32((random, i) -> 12, 1);
    add("counts", new AddLoss(0), dims[1], f32(NORMAL, dims), targets, sums, count);
    add("second sum", new AddLoss(1), dims[1], f32(NORMAL, dims), targets, sums, count);
  }

  private void slopes() {
    // Whole and half numbers, so that a token count is one.
    OpCase.Draw sum = (random, i) -> 16 + random.nextInt(64) / 2.0;
    add("one rank", new ProjectedGradient(1e-3f, 1, 1), 1, f32(sum, 6));
    add("ranks and directions", new ProjectedGradient(0.25f, 3, 4), 1, f32(sum, 56));
  }
}
