package dev.kindling.kernels.backend.cpu;

import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.Reduction;
import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.graph.op.AllReduce;
import dev.kindling.kernels.memory.Span;
import java.util.ArrayList;
import java.util.List;

/** Collectives: neighbours in memory become one call. */
final class CollectiveCpu {
  private CollectiveCpu() {}

  static Runnable allReduce(Binding binding) {
    Communicator communicator = binding.communicator(binding.op(AllReduce.class).axis());
    List<Piece> pieces = new ArrayList<>();
    for (int i = 0; i < binding.inputs(); i++) {
      pieces.add(binding.inPiece(i));
    }
    List<Runnable> calls = new ArrayList<>();
    for (Piece piece : Piece.merge(pieces)) {
      Span span = piece.span();
      calls.add(() -> communicator.allReduce(span, DType.F32, Reduction.SUM));
    }
    return Sequence.of(calls);
  }
}
