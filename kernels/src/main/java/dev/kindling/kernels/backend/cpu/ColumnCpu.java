package dev.kindling.kernels.backend.cpu;

import dev.kindling.kernels.backend.cpu.vector.Operand;
import dev.kindling.kernels.graph.op.GatherColumns;
import java.nio.ByteBuffer;

/** Operations that move columns. */
final class ColumnCpu {
  private ColumnCpu() {}

  static Runnable gather(Binding binding) {
    int[] columns = binding.op(GatherColumns.class).columns().toArray();
    int tokens = binding.inShape(0).dim(0);
    int width = binding.inShape(0).dim(1);
    Operand x = binding.in(0);
    Operand y = binding.out(0);
    Workers workers = binding.workers();
    Workers.Task task =
        (from, to, worker) -> {
          for (int row = from; row < to; row++) {
            for (int i = 0; i < columns.length; i++) {
              y.set(row * columns.length + i, x.get(row * width + columns[i]));
            }
          }
        };
    return () -> workers.run(task, tokens, Grain.rows(columns.length));
  }

  static Runnable split(Binding binding) {
    int count = binding.node().outputs().size();
    ByteBuffer joint = binding.inPiece(0).span().buffer();
    ByteBuffer[] pieces = new ByteBuffer[count];
    int[] widths = new int[count];
    for (int i = 0; i < count; i++) {
      pieces[i] = binding.outPiece(i).span().buffer();
      widths[i] = binding.outShape(i).dim(1) * Float.BYTES;
    }
    int stride = binding.inShape(0).dim(1) * Float.BYTES;
    return rows(
        binding,
        (from, to, worker) -> {
          int source = from * stride;
          for (int row = from; row < to; row++) {
            for (int i = 0; i < count; i++) {
              pieces[i].put(row * widths[i], joint, source, widths[i]);
              source += widths[i];
            }
          }
        });
  }

  static Runnable concat(Binding binding) {
    int count = binding.inputs();
    ByteBuffer joint = binding.outPiece(0).span().buffer();
    ByteBuffer[] pieces = new ByteBuffer[count];
    int[] widths = new int[count];
    for (int i = 0; i < count; i++) {
      pieces[i] = binding.inPiece(i).span().buffer();
      widths[i] = binding.inShape(i).dim(1) * Float.BYTES;
    }
    int stride = binding.outShape(0).dim(1) * Float.BYTES;
    return rows(
        binding,
        (from, to, worker) -> {
          int target = from * stride;
          for (int row = from; row < to; row++) {
            for (int i = 0; i < count; i++) {
              joint.put(target, pieces[i], row * widths[i], widths[i]);
              target += widths[i];
            }
          }
        });
  }

  private static Runnable rows(Binding binding, Workers.Task task) {
    Workers workers = binding.workers();
    int tokens = binding.inShape(0).dim(0);
    int grain = Grain.rows(binding.inShape(0).dim(1));
    return () -> workers.run(task, tokens, grain);
  }
}
