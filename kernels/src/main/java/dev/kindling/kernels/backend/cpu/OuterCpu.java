package dev.kindling.kernels.backend.cpu;

import dev.kindling.kernels.backend.cpu.vector.Operand;
import dev.kindling.kernels.backend.cpu.vector.OuterNumbers;
import dev.kindling.kernels.backend.cpu.vector.UpdateKernels;
import dev.kindling.kernels.graph.OuterScalar;
import dev.kindling.kernels.graph.op.OuterUpdate;
import dev.kindling.kernels.graph.op.OuterUpdate.Merge;
import dev.kindling.kernels.graph.op.StalenessGap;

/** Outer steps of local-update methods. Scalars are read when the node runs. */
final class OuterCpu {
  /** Squares are summed in pieces of this many elements, whatever the number of threads. */
  private static final int PIECE = 1 << 16;

  private OuterCpu() {}

  static Runnable update(Binding binding) {
    OuterUpdate op = binding.op(OuterUpdate.class);
    Operand anchor = binding.out(0);
    Operand momentum = binding.out(1);
    Operand live = binding.out(2);
    Operand payload = binding.in(3);
    Operand block = binding.in(binding.inputs() - 2);
    Operand gain = binding.in(binding.inputs() - 1);
    UpdateKernels updates = binding.rows().updates();
    Workers workers = binding.workers();
    int elements = binding.inElements(0);
    boolean nesterov = op.nesterov();
    Workers.Task task;
    if (op.merge() == Merge.OWN) {
      Operand kept = binding.out(4);
      task =
          (from, to, worker) -> {
            OuterNumbers numbers = numbers(block, gain, nesterov);
            updates.outerOwn(anchor, momentum, live, payload, kept, numbers, from, to);
          };
    } else {
      boolean departs = op.merge() == Merge.STALE;
      task =
          (from, to, worker) -> {
            OuterNumbers numbers = numbers(block, gain, nesterov);
            updates.outer(anchor, momentum, live, payload, numbers, departs, from, to);
          };
    }
    return () -> workers.run(task, elements, Grain.ELEMENTS);
  }

  private static OuterNumbers numbers(Operand block, Operand gain, boolean nesterov) {
    return new OuterNumbers(
        gain.get(0),
        block.get(OuterScalar.RATE.ordinal()),
        block.get(OuterScalar.MOMENTUM.ordinal()),
        block.get(OuterScalar.MOMENTUM_LIMIT.ordinal()),
        block.get(OuterScalar.STEP_LIMIT.ordinal()),
        block.get(OuterScalar.OWN_SHARE.ordinal()),
        nesterov);
  }

  static Runnable depart(Binding binding) {
    Operand anchor = binding.in(0);
    Operand live = binding.in(1);
    Operand payload = binding.out(0);
    Workers workers = binding.workers();
    Workers.Task task =
        (from, to, worker) -> {
          for (int i = from; i < to; i++) {
            payload.set(i, anchor.get(i) - live.get(i));
          }
        };
    int elements = binding.inElements(0);
    return () -> workers.run(task, elements, Grain.ELEMENTS);
  }

  static Runnable squaredDistance(Binding binding) {
    int pairs = binding.inputs() / 2;
    Workers workers = binding.workers();
    double[][] squares = new double[pairs][];
    Runnable[] parts = new Runnable[pairs];
    for (int pair = 0; pair < pairs; pair++) {
      Operand a = binding.in(2 * pair);
      Operand b = binding.in(2 * pair + 1);
      int elements = binding.inElements(2 * pair);
      double[] sums = new double[(elements + PIECE - 1) / PIECE];
      Workers.Task task =
          (from, to, worker) -> {
            for (int piece = from; piece < to; piece++) {
              sums[piece] = squares(a, b, piece * PIECE, Math.min(elements, (piece + 1) * PIECE));
            }
          };
      squares[pair] = sums;
      parts[pair] = () -> workers.run(task, sums.length, 1);
    }
    Operand sum = binding.out(0);
    return () -> {
      double total = 0;
      for (int pair = 0; pair < pairs; pair++) {
        parts[pair].run();
        for (double each : squares[pair]) {
          total += each;
        }
      }
      sum.set(0, (float) total);
    };
  }

  private static double squares(Operand a, Operand b, int from, int to) {
    double sum = 0;
    for (int i = from; i < to; i++) {
      double distance = (double) a.get(i) - (double) b.get(i);
      sum = Math.fma(distance, distance, sum);
    }
    return sum;
  }

  static Runnable stalenessGap(Binding binding) {
    Operand norm = binding.in(0);
    Operand squares = binding.in(1);
    Operand block = binding.in(2);
    Operand gain = binding.out(0);
    return () -> {
      double moved = (double) block.get(OuterScalar.RATE.ordinal()) * norm.get(0);
      double reach =
          block.get(OuterScalar.INNER_STEPS.ordinal()) * Math.sqrt((double) squares.get(0));
      double lambda = reach > 0 ? 1 + moved / (reach + StalenessGap.EPS) : 1;
      gain.set(0, (float) (1 / lambda));
    };
  }
}
