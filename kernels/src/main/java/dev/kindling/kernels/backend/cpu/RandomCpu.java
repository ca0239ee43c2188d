package dev.kindling.kernels.backend.cpu;

import dev.kindling.kernels.graph.StepScalar;
import dev.kindling.kernels.graph.op.RandomNormal;
import dev.kindling.kernels.memory.Span;
import dev.kindling.kernels.random.Philox;

/** Counter-based random numbers. */
final class RandomCpu {
  private RandomCpu() {}

  static Runnable normal(Binding binding) {
    long key = binding.op(RandomNormal.class).key();
    Span step = binding.inPiece(0).span();
    Span out = binding.outPiece(0).span();
    int elements = Math.toIntExact(binding.outShape(0).elements());
    Workers workers = binding.workers();
    return () -> {
      long first = (long) step.getFloat(StepScalar.STEP.ordinal()) * RandomNormal.COUNTERS_PER_STEP;
      workers.run(
          (from, to, worker) -> {
            for (int i = from; i < to; i++) {
              out.putFloat(i, (float) Philox.normal(key, first + i));
            }
          },
          elements,
          Grain.ELEMENTS);
    };
  }
}
