package dev.kindling.kernels.backend.cpu;

import dev.kindling.kernels.backend.InputException;
import dev.kindling.kernels.backend.cpu.vector.Operand;
import dev.kindling.kernels.graph.op.CrossEntropy;
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

  static Runnable write(Binding binding) {
    int tokens = binding.inShape(0).dim(0);
    int rows = binding.inShape(1).dim(0);
    int bytes = binding.inShape(0).dim(1) * Float.BYTES;
    ByteBuffer source = binding.inPiece(0).span().buffer();
    ByteBuffer table = binding.outPiece(0).span().buffer();
    Operand places = binding.in(2);
    return () -> {
      for (int t = 0; t < tokens; t++) {
        int place = places.getInt(t);
        if (place == CrossEntropy.IGNORED) {
          continue;
        }
        if (place < 0 || place >= rows) {
          throw new InputException("WriteRows: place of token " + t, rows, place);
        }
        table.put(place * bytes, source, t * bytes, bytes);
      }
    };
  }
}
