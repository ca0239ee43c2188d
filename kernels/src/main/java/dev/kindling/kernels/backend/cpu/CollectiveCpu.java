package dev.kindling.kernels.backend.cpu;

import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.Reduction;
import dev.kindling.kernels.backend.cpu.vector.ElementKernels;
import dev.kindling.kernels.backend.cpu.vector.Operand;
import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.graph.op.AllGather;
import dev.kindling.kernels.graph.op.AllReduce;
import dev.kindling.kernels.graph.op.AllToAll;
import dev.kindling.kernels.graph.op.Broadcast;
import dev.kindling.kernels.graph.op.Reduce;
import dev.kindling.kernels.graph.op.ReduceScatter;
import dev.kindling.kernels.memory.Span;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/** Collectives: neighbours in memory become one call where the order of elements allows. */
final class CollectiveCpu {
  private CollectiveCpu() {}

  static Runnable allReduce(Binding binding) {
    Communicator communicator = binding.communicator(binding.op(AllReduce.class).axis());
    List<Runnable> calls = new ArrayList<>();
    for (int i = 0; i < binding.inputs(); i++) {
      copyUnlessInPlace(binding, i, calls);
    }
    inPlace(binding, span -> communicator.allReduce(span, DType.F32, Reduction.SUM), calls);
    return Sequence.of(calls);
  }

  static Runnable broadcast(Binding binding) {
    Broadcast op = binding.op(Broadcast.class);
    Communicator communicator = binding.communicator(op.axis()).withRoot(binding.node(), op.root());
    List<Runnable> calls = new ArrayList<>();
    inPlace(binding, span -> communicator.broadcast(span, op.root()), calls);
    return Sequence.of(calls);
  }

  static Runnable reduce(Binding binding) {
    Reduce op = binding.op(Reduce.class);
    Communicator communicator = binding.communicator(op.axis()).withRoot(binding.node(), op.root());
    List<Runnable> calls = new ArrayList<>();
    copyUnlessInPlace(binding, 0, calls);
    inPlace(binding, span -> communicator.allReduce(span, DType.F32, Reduction.SUM), calls);
    if (communicator.rank() != op.root()) {
      ElementKernels elements = binding.rows().elements();
      Operand sum = binding.out(0);
      int count = binding.inElements(0);
      calls.add(() -> elements.fill(0f, sum, 0, count));
    }
    return Sequence.of(calls);
  }

  static Runnable allGather(Binding binding) {
    AllGather op = binding.op(AllGather.class);
    Communicator communicator =
        binding.communicator(op.axis()).ofDegree(binding.node(), op.degree());
    Span shard = binding.inPiece(0).span();
    Span whole = binding.outPiece(0).span();
    return () -> communicator.allGather(shard, whole);
  }

  static Runnable reduceScatter(Binding binding) {
    ReduceScatter op = binding.op(ReduceScatter.class);
    Communicator communicator =
        binding.communicator(op.axis()).ofDegree(binding.node(), op.degree());
    Span whole = binding.inPiece(0).span();
    Span shard = binding.outPiece(0).span();
    return () -> communicator.reduceScatter(whole, shard, DType.F32, Reduction.SUM);
  }

  static Runnable allToAll(Binding binding) {
    AllToAll op = binding.op(AllToAll.class);
    Communicator communicator =
        binding.communicator(op.axis()).ofDegree(binding.node(), op.degree());
    Span send = binding.inPiece(0).span();
    Span receive = binding.outPiece(0).span();
    return () -> communicator.allToAll(send, receive);
  }

  /** One call per stretch of outputs that lie side by side. */
  private static void inPlace(Binding binding, Consumer<Span> call, List<Runnable> calls) {
    List<Piece> pieces = new ArrayList<>();
    for (int i = 0; i < binding.node().outputs().size(); i++) {
      pieces.add(binding.outPiece(i));
    }
    for (Piece piece : Piece.merge(pieces)) {
      Span span = piece.span();
      calls.add(() -> call.accept(span));
    }
  }

  private static void copyUnlessInPlace(Binding binding, int index, List<Runnable> calls) {
    if (!binding.inPlace(index, index)) {
      ByteBuffer from = binding.inPiece(index).span().buffer();
      ByteBuffer to = binding.outPiece(index).span().buffer();
      int bytes = to.limit();
      calls.add(() -> to.put(0, from, 0, bytes));
    }
  }
}
