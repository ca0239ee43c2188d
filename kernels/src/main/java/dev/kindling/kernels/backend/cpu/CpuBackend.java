package dev.kindling.kernels.backend.cpu;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.CpuOptions;
import dev.kindling.kernels.backend.Flight;
import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.backend.Program;
import dev.kindling.kernels.backend.cpu.blas.Matmul;
import dev.kindling.kernels.backend.cpu.row.RowKernels;
import dev.kindling.kernels.graph.Axis;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.rewrite.GraphCheck;
import dev.kindling.kernels.memory.MemoryPlan;
import dev.kindling.kernels.memory.Span;
import java.util.List;
import java.util.Map;

/**
 * The CPU as a device. One backend belongs to one rank; its threads are its own, and one thread at
 * a time may run its programs.
 */
public final class CpuBackend implements Backend {
  private final Workers workers;
  private final RowKernels rows;
  private final Matmul matmul;

  public CpuBackend(CpuOptions options) {
    workers = new Workers(options.threads(), "kindling-cpu");
    rows = RowKernels.best();
    matmul =
        switch (options.matmul()) {
          case OPENBLAS -> Matmul.openBlas(1);
          case JAVA -> Matmul.pureJava();
        };
  }

  @Override
  public String name() {
    return "cpu/" + matmul.name() + "/" + rows.name();
  }

  @Override
  public Memory allocate(List<Variable> variables) {
    return new CpuMemory(variables);
  }

  /** Every variable and the largest activation arena; scratch memory of nodes is not counted. */
  public static long planned(List<Variable> variables, List<Graph> programs) {
    long arenas = variables.stream().mapToLong(v -> Span.aligned(v.type().bytes())).sum();
    long activations =
        programs.stream().mapToLong(graph -> MemoryPlan.of(graph).totalBytes()).max().orElse(0);
    return arenas + activations;
  }

  @Override
  public long bytesNeeded(List<Variable> variables, List<Graph> programs) {
    return planned(variables, programs);
  }

  @Override
  public Program compile(Graph graph, Memory memory, Map<Axis, Communicator> communicators) {
    if (!(memory instanceof CpuMemory cpuMemory)) {
      throw new PlanException("memory of another backend: " + memory);
    }
    GraphCheck.check(graph);
    MemoryPlan plan = MemoryPlan.of(graph);
    Map<Axis, Communicator> axes = Map.copyOf(communicators);
    return new CpuProgram(graph, new Engine(cpuMemory, plan, workers, rows, matmul, axes));
  }

  @Override
  public Flight flight(Memory memory, Role role, Communicator communicator) {
    return new CpuFlight(memory.arena(role), communicator);
  }

  @Override
  public String choices() {
    return "";
  }

  @Override
  public void adopt(String choices) {}

  @Override
  public void close() {
    workers.close();
  }
}
