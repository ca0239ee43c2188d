package dev.kindling.kernels.backend.cpu;

import dev.kindling.kernels.graph.op.SliceRows;
import java.nio.ByteBuffer;

/** Operations that move rows: stretches of memory. */
final class RowCpu {
  private RowCpu() {}

  static Runnable slice(Binding binding) {
    int bytes = Math.toIntExact(binding.node().output(0).type().bytes());
    int from = binding.op(SliceRows.class).from() * (bytes / binding.outShape(0).dim(0));
    ByteBuffer whole = binding.inPiece(0).span().buffer();
    ByteBuffer piece = binding.outPiece(0).span().buffer();
    return () -> piece.put(0, whole, from, bytes);
  }

  static Runnable concat(Binding binding) {
    int count = binding.inputs();
    ByteBuffer whole = binding.outPiece(0).span().buffer();
    ByteBuffer[] pieces = new ByteBuffer[count];
    int[] bytes = new int[count];
    for (int i = 0; i < count; i++) {
      pieces[i] = binding.inPiece(i).span().buffer();
      bytes[i] = Math.toIntExact(binding.node().input(i).type().bytes());
    }
    return () -> {
      int target = 0;
      for (int i = 0; i < count; i++) {
        whole.put(target, pieces[i], 0, bytes[i]);
        target += bytes[i];
      }
    };
  }
}
