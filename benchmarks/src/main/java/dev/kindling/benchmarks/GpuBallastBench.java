package dev.kindling.benchmarks;

import dev.kindling.kernels.backend.CudaOptions;
import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.backend.cuda.CudaBackend;
import dev.kindling.kernels.backend.cuda.layout.Precision;
import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * {@code bench gpu-ballast [--leave BYTES] [--seconds N]}: holds memory of GPU 0 so that another
 * process can have so many bytes of it and no more, its context included. A run beside it shows
 * that it does with them.
 */
final class GpuBallastBench implements Benchmark {
  private static final long BLOCK = 1L << 30;

  /** What a driver hands out is a multiple of this. */
  private static final long GRAIN = 2L << 20;

  @Override
  public void run(Results results, List<String> arguments) throws InterruptedException {
    BenchOptions options =
        BenchOptions.of(arguments, Map.of("leave", "11000000000", "seconds", "600"));
    long leave = Long.parseLong(options.text("leave"));
    CudaOptions device = new CudaOptions(0, Precision.FP32, false, false);
    try (CudaBackend backend = new CudaBackend(device, line -> {})) {
      long held = Math.max(0, (backend.freeBytes() - leave + GRAIN - 1) / GRAIN * GRAIN);
      try (Memory ballast = backend.allocate(blocks(held))) {
        results.note(backend.name());
        results.add("gpu-ballast.held", ballast.bytes(Role.STATE), "bytes");
        results.add("gpu-ballast.left", backend.freeBytes(), "bytes");
        if (backend.freeBytes() > leave) {
          throw new IllegalStateException(
              "expected at most " + leave + " free bytes, found " + backend.freeBytes());
        }
        Thread.sleep(1000L * options.count("seconds"));
        results.add("gpu-ballast.left.last", backend.freeBytes(), "bytes");
      }
    }
  }

  private static List<Variable> blocks(long bytes) {
    List<Variable> blocks = new ArrayList<>();
    for (long at = 0; at < bytes; at += BLOCK) {
      int elements = Math.toIntExact(Math.min(BLOCK, bytes - at) / Float.BYTES);
      ValueType type = new ValueType(Shape.of(elements), DType.F32);
      blocks.add(new Variable("ballast/" + blocks.size(), type, Role.STATE));
    }
    return blocks;
  }
}
