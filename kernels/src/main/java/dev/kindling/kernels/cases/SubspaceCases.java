package dev.kindling.kernels.cases;

import static dev.kindling.kernels.cases.OpCases.NORMAL;
import static dev.kindling.kernels.cases.OpCases.POSITIVE;
import static dev.kindling.kernels.cases.OpCases.f32;

import dev.kindling.kernels.graph.Channels;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.op.AdamDirection;
import dev.kindling.kernels.graph.op.Op;
import dev.kindling.kernels.graph.op.Project;
import dev.kindling.kernels.graph.op.Subspace;

/** The lines of the case table about updates in a subspace of the gradient. */
final class SubspaceCases {
  private static final int INTERVAL = 200;
  private static final OpCase.Input STEP =
      f32((random, i) -> new double[] {1e-2, 0.19, 0.05, 0.7, 403}[i], 5);
  private static final OpCase.Input SCALE = f32(POSITIVE, 1);
  private static final OpCase.Input SKIP = f32((random, i) -> 0, 1);

  /** The rounding of a vector grows by the gap behind its value; four bits of that are allowed. */
  private static final int OF_A_VECTOR = 256 * 256;

  private final OpCases cases;

  private SubspaceCases(OpCases cases) {
    this.cases = cases;
  }

  /** Wide, tall and square matrices, a single number, ranks beyond a tile of 64 and a panel. */
  static void add(OpCases cases, boolean large) {
    SubspaceCases lines = new SubspaceCases(cases);
    if (large) {
      lines.matrix(new Channels(1024, 512, 1), 5);
      lines.matrix(new Channels(512, 1376, 1), 5);
      lines.rest(new Channels(1024, 512, 1), 128);
      return;
    }
    int[][] shapes = {
      {1, 1, 1}, {13, 13, 3}, {13, 207, 4}, {208, 12, 5}, {48, 640, 1}, {80, 72, 5}
    };
    for (int[] shape : shapes) {
      lines.matrix(new Channels(shape[0], shape[1], 1), shape[2]);
    }
    lines.rest(new Channels(208, 96, 1), 70);
  }

  private void add(String name, Op op, int reduction, OpCase.Input... inputs) {
    cases.together(name, 1, op, reduction, inputs);
  }

  /**
   * A matrix whose singular values are 1, 1/2, 1/4, ...: cosines of both sides, which are
   * orthogonal to each other, so that each vector is told well.
   */
  private static OpCase.Input separated(Channels channels) {
    int rows = channels.rows();
    int columns = channels.columns();
    int values = Math.min(8, channels.contracted());
    OpCase.Draw draw =
        (random, i) -> {
          int row = i / columns;
          int column = i % columns;
          double sum = 0;
          for (int k = 0; k < values; k++) {
            double u = Math.cos(Math.PI * (row + 0.5) * k / rows) * length(k, rows);
            double v = Math.cos(Math.PI * (column + 0.5) * k / columns) * length(k, columns);
            sum += Math.scalb(u * v, -k);
          }
          return sum;
        };
    return new OpCase.Input(ValueType.f32(rows, columns), draw);
  }

  private static double length(int k, int count) {
    return Math.sqrt((k == 0 ? 1.0 : 2.0) / count);
  }

  private void matrix(Channels channels, int rank) {
    String name = channels.rows() + "x" + channels.columns() + " rank " + rank;
    Op op = new Subspace(channels, rank, INTERVAL, 16, 77);
    OpCase.Input gradient = separated(channels);
    OpCase.Input basis = f32(NORMAL, channels.contracted(), rank);
    add(name + " first", op, OF_A_VECTOR, gradient, basis, age(0), SCALE);
    add(name + " again", op, OF_A_VECTOR, gradient, basis, age(INTERVAL), SCALE);
    add(name + " not due", op, 1, gradient, basis, age(INTERVAL - 1), SCALE);
    add(name + " skips", op, 1, gradient, basis, age(0), SKIP);
    rest(channels, rank);
  }

  private static OpCase.Input age(int updates) {
    return f32((random, i) -> updates, 1);
  }

  private void rest(Channels channels, int rank) {
    String name = channels.rows() + "x" + channels.columns() + " rank " + rank;
    OpCase.Input gradient = f32(NORMAL, channels.rows(), channels.columns());
    OpCase.Input basis = f32(NORMAL, channels.contracted(), rank);
    add(name, new Project(channels, rank), channels.contracted(), gradient, basis);
    OpCase.Input small = f32(NORMAL, channels.own(), rank);
    OpCase.Input square = f32(POSITIVE, channels.own(), rank);
    Op direction = new AdamDirection(0.9f, 0.95f, 1e-3f);
    add(name, direction, 4, small, small, square, SCALE, STEP);
    add(name + " skips", direction, 1, small, small, square, SKIP, STEP);
  }
}
