package dev.kindling.kernels.backend.cuda;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.CudaOptions;
import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.backend.Program;
import dev.kindling.kernels.backend.cuda.layout.GroupRules;
import dev.kindling.kernels.backend.cuda.layout.Layout;
import dev.kindling.kernels.backend.cuda.layout.Precision;
import dev.kindling.kernels.graph.Axis;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.rewrite.GraphCheck;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/** One GPU as a device. One backend belongs to one rank and one thread at a time. */
public final class CudaBackend implements Backend {
  private final CudaOptions options;
  private final CudaDevice device;
  private final Engine engine;

  /**
   * @param notices hears, a line each, what takes long
   * @throws dev.kindling.kernels.backend.DeviceException if there is no such GPU, driver or library
   */
  public CudaBackend(CudaOptions options, Consumer<String> notices) {
    this.options = options;
    device = new CudaDevice(options.ordinal());
    engine = new Engine(device, options.measured(), notices);
  }

  @Override
  public String name() {
    return device + "/" + options.precision().name().toLowerCase(java.util.Locale.ROOT);
  }

  @Override
  public Memory allocate(List<Variable> variables) {
    return new CudaMemory(device, variables, options.precision() == Precision.BF16);
  }

  @Override
  public Program compile(Graph graph, Memory memory, Map<Axis, Communicator> communicators) {
    if (!(memory instanceof CudaMemory own)) {
      throw new PlanException("memory of another backend: " + memory);
    }
    GraphCheck.check(graph);
    Layout layout = Layout.of(graph, options.precision(), GroupRules.ALL);
    return new CudaProgram(graph, layout, engine, own, communicators, options.captured());
  }

  @Override
  public String choices() {
    return engine.blas().choices().encode();
  }

  @Override
  public void adopt(String choices) {
    engine.blas().choices().adopt(choices);
  }

  /** Device bytes reserved so far, the context excluded. */
  public long reservedBytes() {
    return device.reservedBytes();
  }

  @Override
  public void close() {
    engine.close();
    device.close();
  }
}
