package dev.kindling.kernels.backend.cpu;

import dev.kindling.kernels.graph.op.Nf4;
import dev.kindling.kernels.memory.Span;
import dev.kindling.kernels.nf4.Nf4Reader;

/** Unpacks weights of 4 bits. */
final class Nf4Cpu {
  private Nf4Cpu() {}

  static Runnable dequantize(Binding binding) {
    int elements = Math.toIntExact(binding.outShape(0).elements());
    Nf4Reader packed =
        new Nf4Reader(
            binding.inPiece(0).span(), binding.inPiece(1).span(), binding.inPiece(2).span());
    Span matrix = binding.outPiece(0).span();
    Workers workers = binding.workers();
    Workers.Task task =
        (from, to, worker) -> {
          int first = from * Nf4.BLOCK;
          packed.read(first, Math.min(elements, to * Nf4.BLOCK) - first, matrix, first);
        };
    int blocks = Nf4.blocks(elements);
    return () -> workers.run(task, blocks, Grain.rows(Nf4.BLOCK));
  }
}
