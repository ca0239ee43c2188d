package dev.kindling.kernels.backend.cuda;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.BusyDeviceException;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.CudaOptions;
import dev.kindling.kernels.backend.DeviceCommunicator;
import dev.kindling.kernels.backend.DeviceException;
import dev.kindling.kernels.backend.Flight;
import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.backend.Program;
import dev.kindling.kernels.backend.cuda.layout.GroupRules;
import dev.kindling.kernels.backend.cuda.layout.Layout;
import dev.kindling.kernels.backend.cuda.layout.Precision;
import dev.kindling.kernels.graph.Axis;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.rewrite.GraphCheck;
import dev.kindling.kernels.memory.Closing;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.function.Consumer;

/** One GPU as a device. One backend belongs to one rank and one thread at a time. */
public final class CudaBackend implements Backend {
  /** Left to the driver: executable graphs, stacks of kernels, rounding of every block to 2 MiB. */
  private static final long DRIVER_BYTES = 512L << 20;

  private final CudaOptions options;
  private final CudaDevice device;
  private final Engine engine;
  private boolean closed;

  /**
   * Opens the device and has every kernel compute something small.
   *
   * @param notices hears, a line each, what takes long
   * @throws dev.kindling.kernels.backend.DeviceException if there is no such GPU, driver or
   *     library, or a kernel computes wrongly
   */
  public CudaBackend(CudaOptions options, Consumer<String> notices) {
    this.options = options;
    device = new CudaDevice(options.ordinal());
    try {
      SelfTest.run(options.ordinal(), notices);
      engine = new Engine(device, options.measured(), notices);
    } catch (RuntimeException | Error failure) {
      // Else each retry in this process would retain the context once more.
      Closing.after(failure, device);
      throw failure;
    }
  }

  @Override
  public String name() {
    return device + "/" + options.precision().name().toLowerCase(java.util.Locale.ROOT);
  }

  @Override
  public Memory allocate(List<Variable> variables) {
    device.makeCurrent();
    return new CudaMemory(engine, new RoleArenas(variables, bf16()));
  }

  @Override
  public Memory allocate(List<Variable> variables, List<Graph> programs) {
    CudaBytes needed = bytes(variables, programs);
    long available = bytesAvailable().orElseThrow();
    if (needed.total() > available) {
      throw new DeviceException(
          String.format(
              java.util.Locale.ROOT,
              "cuda: these programs need %,d bytes, found %,d that can be reserved on %s",
              needed.total(),
              available,
              device));
    }
    device.makeCurrent();
    CudaMemory memory = new CudaMemory(engine, RoleArenas.of(variables, programs, bf16()));
    memory.workspace(needed.activations());
    engine.scratch(needed.scratch());
    return memory;
  }

  private boolean bf16() {
    return options.precision() == Precision.BF16;
  }

  private CudaBytes bytes(List<Variable> variables, List<Graph> programs) {
    return CudaBytes.of(variables, programs, options.precision(), engine.multiprocessors());
  }

  @Override
  public long bytesNeeded(List<Variable> variables, List<Graph> programs) {
    return bytes(variables, programs).total();
  }

  @Override
  public OptionalLong bytesAvailable() {
    return OptionalLong.of(device.reservedBytes() + device.freeBytes() - DRIVER_BYTES);
  }

  @Override
  public Program compile(Graph graph, Memory memory, Map<Axis, Communicator> communicators) {
    if (!(memory instanceof CudaMemory own)) {
      throw new PlanException("memory of another backend: " + memory);
    }
    GraphCheck.check(graph);
    // Another thread may have opened it: products are tried out here.
    device.makeCurrent();
    Layout layout = Layout.of(graph, options.precision(), GroupRules.ALL);
    return new CudaProgram(graph, layout, engine, own, communicators, options.captured());
  }

  /** Through the host where the communicator is the host's. */
  @Override
  public Flight flight(Memory memory, Role role, Communicator communicator) {
    if (!(memory instanceof CudaMemory own)) {
      throw new PlanException("memory of another backend: " + memory);
    }
    if (communicator.worldSize() == 1) {
      return new LoneFlight();
    }
    return communicator instanceof DeviceCommunicator among
        ? new DeviceFlight(engine, own.arenaAddress(role), own.bytes(role), among)
        : new HostFlight(engine, own.arenaAddress(role), own.bytes(role), communicator);
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

  /** Bytes of the whole GPU. */
  public long totalBytes() {
    return device.totalBytes();
  }

  /** Bytes of the GPU that nobody holds now, other processes included. */
  public long freeBytes() {
    return device.freeBytes();
  }

  @Override
  public OptionalLong bytesReserved() {
    return OptionalLong.of(device.reservedBytes());
  }

  @Override
  public void makeCurrent() {
    device.makeCurrent();
  }

  @Override
  public void close() {
    // A stream that is destroyed twice is a segmentation fault of the driver.
    if (closed) {
      return;
    }
    closed = true;
    if (device.peers().givenUp()) {
      throw new BusyDeviceException(
          "cuda: GPU "
              + options.ordinal()
              + ": expected it to become idle after a failure, found it busy; its memory is free"
              + " again when this process has ended");
    }
    Closing.all(List.of(engine, device));
  }
}
