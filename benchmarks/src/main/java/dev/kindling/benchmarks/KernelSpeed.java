package dev.kindling.benchmarks;

import com.sun.management.ThreadMXBean;
import dev.kindling.comm.loopback.LoopbackCommunicator;
import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.CpuOptions;
import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.backend.Program;
import dev.kindling.kernels.cases.OpCase;
import dev.kindling.kernels.cases.OpCases;
import dev.kindling.kernels.graph.Axis;
import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.memory.Span;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * {@code bench kernels [--only NAME] [--threads N] [--blocks N] [--matmul openblas|java]}: each
 * large line of the operations' case table, run as a program of one node on the CPU backend;
 * collectives as so many ranks on threads. {@code --only} takes the lines whose name begins so.
 *
 * <p>Figures are of the best block of calls on rank 0: microseconds per call, then GFLOP/s of
 * products or GB/s of what else moves memory (the line of {@code Copy} is the machine's own), and
 * bytes that one call leaves to the garbage collector.
 */
final class KernelSpeed implements Benchmark {
  private static final long SEED = 20261123L;

  /** Bytes that one block of calls moves at least, so that the clock is no part of the figure. */
  private static final double BLOCK_BYTES = 32e6;

  private record Speed(double nanos, long allocatedBytes) {}

  @Override
  public void run(Results results, List<String> arguments) throws Exception {
    BenchOptions options =
        BenchOptions.of(
            arguments, Map.of("only", "", "threads", "1", "blocks", "60", "matmul", "openblas"));
    int blocks = options.count("blocks");
    if (blocks < 1) {
      throw new IllegalArgumentException("--blocks: expected at least 1, found " + blocks);
    }
    CpuOptions cpu =
        new CpuOptions(
            options.count("threads"),
            MatmulKind.valueOf(options.text("matmul").toUpperCase(Locale.ROOT)));
    List<OpCase> lines =
        OpCases.large().stream()
            .filter(line -> line.name().startsWith(options.text("only")))
            .toList();
    if (lines.isEmpty()) {
      throw new IllegalArgumentException(
          "--only: no line of the case table begins with " + options.text("only"));
    }
    for (OpCase line : lines) {
      report(results, line, measure(line, cpu, blocks));
    }
  }

  private static void report(Results results, OpCase line, Speed speed) {
    String name = "kernel." + line.name().trim().replaceAll("[^A-Za-z0-9.#]+", "_") + '.';
    results.add(name + "time", speed.nanos() / 1e3, "us");
    long flops = line.op().flops(line.types());
    if (flops > 0) {
      results.add(name + "flops", flops / speed.nanos(), "GFLOP/s");
    } else {
      results.add(name + "bytes", line.op().bytes(line.types()) / speed.nanos(), "GB/s");
    }
    results.add(name + "allocated", speed.allocatedBytes(), "B");
  }

  /** All ranks make the same number of calls; the speed is that of rank 0. */
  private static Speed measure(OpCase line, CpuOptions cpu, int blocks) throws Exception {
    List<Communicator> world = LoopbackCommunicator.create(line.ranks());
    ExecutorService threads = Executors.newFixedThreadPool(line.ranks());
    try {
      List<Future<Speed>> ranks = new ArrayList<>();
      for (Communicator communicator : world) {
        ranks.add(threads.submit(() -> measure(line, cpu, blocks, communicator)));
      }
      for (Future<Speed> rank : ranks) {
        rank.get();
      }
      return ranks.get(0).get();
    } finally {
      world.forEach(Communicator::close);
      threads.shutdownNow();
    }
  }

  private static Speed measure(OpCase line, CpuOptions cpu, int blocks, Communicator communicator) {
    Graph graph = graph(line);
    int calls = (int) Math.ceil(BLOCK_BYTES / Math.max(1e5, line.op().bytes(line.types())));
    ThreadMXBean thread = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    try (Backend backend = Backend.cpu(cpu);
        Memory memory = backend.allocate(graph.variables());
        Program program = backend.compile(graph, memory, Map.of(Axis.DATA, communicator))) {
      load(line, communicator.rank(), memory);
      double best = Double.MAX_VALUE;
      long allocated = Long.MAX_VALUE;
      for (int block = 0; block < blocks; block++) {
        long bytes = thread.getCurrentThreadAllocatedBytes();
        long start = System.nanoTime();
        for (int call = 0; call < calls; call++) {
          program.run();
        }
        best = Math.min(best, (System.nanoTime() - start) / (double) calls);
        long left = thread.getCurrentThreadAllocatedBytes() - bytes;
        allocated = Math.min(allocated, left / calls);
      }
      return new Speed(best, allocated);
    }
  }

  private static Graph graph(OpCase line) {
    GraphBuilder builder = new GraphBuilder();
    List<Value> inputs = new ArrayList<>();
    for (ValueType type : line.types()) {
      inputs.add(builder.variable(new Variable("in" + inputs.size(), type, Role.STATE)));
    }
    builder.add(line.op(), inputs.toArray(Value[]::new));
    return builder.build();
  }

  private static void load(OpCase line, int rank, Memory memory) {
    List<double[]> values = line.values(SEED + rank);
    for (int input = 0; input < values.size(); input++) {
      Span span = memory.span("in" + input);
      double[] content = values.get(input);
      for (int i = 0; i < content.length; i++) {
        if (line.types().get(input).dtype() == DType.I32) {
          span.putInt(i, (int) content[i]);
        } else {
          span.putFloat(i, (float) content[i]);
        }
      }
      memory.publish("in" + input);
    }
  }
}
