package dev.kindling.kernels.backend.cpu;

import com.sun.management.ThreadMXBean;
import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.CpuOptions;
import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.backend.Program;
import dev.kindling.kernels.graph.Demand;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.testing.CpuRun;
import dev.kindling.kernels.testing.TinyModels;
import java.lang.management.ManagementFactory;
import java.util.Map;

/** What one run of a program leaves on the heap; also a program of its own that prints it. */
final class AllocationProbe {
  static final TinyModels MODEL = new TinyModels(130, 65, 36, 211, true);

  private static final long ENOUGH = 1L << 20;

  private AllocationProbe() {}

  /** Bytes of a Llama and of a GPT-2, forward and backward, a line each. */
  public static void main(String[] args) {
    System.out.println(bytes(MODEL.llama(n -> Demand.whole()), ENOUGH));
    System.out.println(bytes(MODEL.gpt2(n -> Demand.whole()), ENOUGH));
  }

  /**
   * Smallest of up to 5000 runs, no more than it takes to fall to {@code enough}: before the
   * compilers are done, vectors are objects.
   */
  static long bytes(Graph graph, long enough) {
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    try (Backend backend = Backend.cpu(new CpuOptions(2, MatmulKind.OPENBLAS));
        Memory memory = backend.allocate(graph.variables());
        Program program = backend.compile(graph, memory, Map.of())) {
      load(graph, memory);
      long smallest = Long.MAX_VALUE;
      for (int i = 0; i < 5000 && smallest > enough; i++) {
        long before = threads.getCurrentThreadAllocatedBytes();
        program.run();
        smallest = Math.min(smallest, threads.getCurrentThreadAllocatedBytes() - before);
      }
      return smallest;
    }
  }

  static void load(Graph graph, Memory memory) {
    Map<String, double[]> contents = MODEL.contents(graph, 3);
    for (Variable variable : graph.variables()) {
      double[] content = contents.get(variable.name());
      if (content != null && content.length == variable.type().shape().elements()) {
        CpuRun.write(variable, content, memory.span(variable.name()));
      }
    }
  }
}
