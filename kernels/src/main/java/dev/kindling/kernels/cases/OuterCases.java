package dev.kindling.kernels.cases;

import static dev.kindling.kernels.cases.OpCases.NORMAL;
import static dev.kindling.kernels.cases.OpCases.f32;

import dev.kindling.kernels.graph.OuterScalar;
import dev.kindling.kernels.graph.op.Depart;
import dev.kindling.kernels.graph.op.Op;
import dev.kindling.kernels.graph.op.OuterUpdate;
import dev.kindling.kernels.graph.op.OuterUpdate.Merge;
import dev.kindling.kernels.graph.op.SquaredDistance;
import dev.kindling.kernels.graph.op.StalenessGap;

/** The lines of the case table about outer steps. */
final class OuterCases {
  private static final OpCase.Draw POSITIVE = (random, i) -> random.nextDouble(0.1, 2);
  private static final OpCase.Input SCALAR = f32(POSITIVE, 1);
  private static final OpCase.Input ZERO = f32((random, i) -> 0, 1);
  private static final double OFF = Double.POSITIVE_INFINITY;

  private OuterCases() {}

  static void add(OpCases cases, int[][] matrices) {
    OpCase.Input free = block(0.7, 0.9, OFF, OFF, 0.25, 24);
    OpCase.Input tight = block(0.7, 0.9, 0.8, 0.5, 1, 24);
    for (int[] d : matrices) {
      OpCase.Input x = f32(NORMAL, d);
      for (boolean nesterov : new boolean[] {false, true}) {
        String name = nesterov ? "nesterov " : "";
        for (OpCase.Input block : new OpCase.Input[] {free, tight}) {
          String line = name + (block.equals(tight) ? "clips " : "");
          Op fresh = new OuterUpdate(Merge.FRESH, nesterov);
          cases.together(line + "fresh", 1, fresh, 4, x, x, x, x, block, SCALAR);
          Op stale = new OuterUpdate(Merge.STALE, nesterov);
          cases.together(line + "stale", 1, stale, 4, x, x, x, x, block, SCALAR);
          Op own = new OuterUpdate(Merge.OWN, nesterov);
          cases.together(line + "own", 1, own, 4, x, x, x, x, x, block, SCALAR);
        }
      }
      cases.together("", 1, new Depart(), 1, x, x, x);
      cases.together("", 1, new SquaredDistance(), 4, x, x, f32(NORMAL, 7), f32(NORMAL, 7));
    }
    OpCase.Input many = f32(NORMAL, 70_001);
    cases.together("long", 1, new SquaredDistance(), 4, many, many);
    cases.together("", 1, new StalenessGap(), 4, SCALAR, SCALAR, free);
    cases.together("first step of length 0", 1, new StalenessGap(), 4, SCALAR, ZERO, free);
    cases.together("at rest", 1, new StalenessGap(), 4, ZERO, SCALAR, free);
  }

  private static OpCase.Input block(double... scalars) {
    return f32((random, i) -> scalars[i], OuterScalar.values().length);
  }
}
