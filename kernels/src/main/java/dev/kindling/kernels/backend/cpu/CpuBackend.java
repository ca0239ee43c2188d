package dev.kindling.kernels.backend.cpu;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.CpuOptions;
import dev.kindling.kernels.backend.DeviceException;
import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.backend.Program;
import dev.kindling.kernels.graph.Axis;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.Variable;
import java.util.List;
import java.util.Map;

/** The CPU as a device. */
public final class CpuBackend implements Backend {
  private final CpuOptions options;

  public CpuBackend(CpuOptions options) {
    this.options = options;
  }

  @Override
  public String name() {
    return "cpu";
  }

  @Override
  public Memory allocate(List<Variable> variables) {
    return new CpuMemory(variables);
  }

  @Override
  public Program compile(Graph graph, Memory memory, Map<Axis, Communicator> communicators) {
    throw new DeviceException("cpu: the executor lands next " + options);
  }

  @Override
  public void close() {}
}
