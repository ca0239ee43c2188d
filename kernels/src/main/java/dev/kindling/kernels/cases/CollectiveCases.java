package dev.kindling.kernels.cases;

import static dev.kindling.kernels.cases.OpCases.NORMAL;
import static dev.kindling.kernels.cases.OpCases.f32;
import static dev.kindling.kernels.cases.OpCases.ids;

import dev.kindling.kernels.graph.Axis;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.op.AllGather;
import dev.kindling.kernels.graph.op.AllReduce;
import dev.kindling.kernels.graph.op.AllToAll;
import dev.kindling.kernels.graph.op.Broadcast;
import dev.kindling.kernels.graph.op.Op;
import dev.kindling.kernels.graph.op.Reduce;
import dev.kindling.kernels.graph.op.ReduceScatter;
import java.util.Optional;

/** The lines of the case table that several ranks run together. */
final class CollectiveCases {
  private final OpCases cases;

  private CollectiveCases(OpCases cases) {
    this.cases = cases;
  }

  /** Pieces of dimension 0 and flat ones, as many as ranks; matrices and a vector. */
  static void add(OpCases cases, boolean large) {
    CollectiveCases lines = new CollectiveCases(cases);
    int[][] shapes = large ? new int[][] {{1024, 512}} : new int[][] {{1}, {5, 13}, {2, 3, 4}};
    for (int ranks : large ? new int[] {2} : new int[] {1, 2, 3, 4}) {
      for (int[] shape : shapes) {
        lines.pieces(ranks, shape);
        lines.flat(ranks + " ranks flat", ranks, shape);
      }
    }
    if (!large) {
      lines.flat("odd rows", 2, 3, 5, 2);
      lines.add("integers", 3, new AllToAll(Axis.DATA, 3), 1, ids(1000, 6));
      lines.add("integers", 3, new AllGather(Axis.DATA, 3, false), 1, ids(1000, 5));
      lines.add("integers", 3, new Broadcast(Axis.DATA, 1), 1, ids(1000, 5));
    }
  }

  private void add(String name, int ranks, Op op, int reduction, OpCase.Input... inputs) {
    cases.together(name, ranks, op, reduction, inputs);
  }

  private void pieces(int ranks, int... dims) {
    OpCase.Input shard = f32(NORMAL, dims);
    int[] rows = dims.clone();
    rows[0] *= ranks;
    OpCase.Input whole = f32(NORMAL, rows);
    String name = ranks + " ranks";
    add(name, ranks, new AllReduce(Axis.DATA), ranks, whole, f32(NORMAL, 3), shard);
    add(name + " copy", ranks, new AllReduce(Axis.DATA, false), ranks, whole, shard);
    add(name, ranks, new AllGather(Axis.DATA, ranks, false), 1, shard);
    add(name + " into", ranks, new AllGather(Axis.DATA, ranks, true), 1, shard, whole);
    add(name, ranks, new ReduceScatter(Axis.DATA, ranks), ranks, whole);
    add(name, ranks, new AllToAll(Axis.DATA, ranks), 1, whole);
    add(name, ranks, new Broadcast(Axis.DATA, ranks - 1), 1, whole, f32(NORMAL, 3));
    add(name, ranks, new Reduce(Axis.DATA, ranks / 2), ranks, whole);
  }

  /** A whole whose last extent is as many times as long as there are ranks. */
  private void flat(String name, int ranks, int... dims) {
    int[] extents = dims.clone();
    extents[dims.length - 1] *= ranks;
    OpCase.Input whole = f32(NORMAL, extents);
    Shape shape = whole.type().shape();
    OpCase.Input piece = f32(NORMAL, (int) shape.elements() / ranks);
    Optional<Shape> flat = Optional.of(shape);
    add(name, ranks, new AllGather(Axis.DATA, ranks, false, flat), 1, piece);
    add(name + " into", ranks, new AllGather(Axis.DATA, ranks, true, flat), 1, piece, whole);
    add(name, ranks, new ReduceScatter(Axis.DATA, ranks, true), ranks, whole);
  }
}
