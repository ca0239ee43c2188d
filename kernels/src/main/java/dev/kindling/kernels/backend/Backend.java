package dev.kindling.kernels.backend;

import dev.kindling.kernels.backend.cpu.CpuBackend;
import dev.kindling.kernels.backend.cuda.CudaBackend;
import dev.kindling.kernels.graph.Axis;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.Variable;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;

/**
 * A device: memory for variables and programs over it. Close programs, then memory, then the
 * backend.
 */
public interface Backend extends AutoCloseable {
  String name();

  /** Zeroed memory for the variables; several programs may share it. */
  Memory allocate(List<Variable> variables);

  /**
   * As above, and reserves at once what these programs will need, so that compiling them reserves
   * next to nothing.
   *
   * @throws DeviceException if the device has too little memory; nothing was reserved then
   */
  default Memory allocate(List<Variable> variables, List<Graph> programs) {
    return allocate(variables);
  }

  /** Bytes that {@link #allocate} and {@link #compile} of these programs would reserve. */
  long bytesNeeded(List<Variable> variables, List<Graph> programs);

  /**
   * Bytes that this backend has reserved so far, what a driver keeps for itself not counted; empty
   * where nobody counts.
   */
  default OptionalLong bytesReserved() {
    return OptionalLong.empty();
  }

  /** Bytes that this backend could have reserved in all; empty where nobody can tell. */
  default OptionalLong bytesAvailable() {
    return OptionalLong.empty();
  }

  /**
   * Resolves every node once. The memory must hold all variables of the graph, and each axis that a
   * collective names must have a communicator.
   */
  Program compile(Graph graph, Memory memory, Map<Axis, Communicator> communicators);

  @Override
  void close();

  /**
   * One GPU; needs the CUDA bindings on the class path.
   *
   * @throws DeviceException if there is no such GPU, driver or library
   */
  static Backend cuda(CudaOptions options) {
    try {
      return new CudaBackend(options);
    } catch (NoClassDefFoundError missing) {
      throw new DeviceException(
          "cuda: the CUDA bindings are not on the class path; expected the jars of JCuda 12.6.0 and"
              + " bytedeco cuda 13.1-9.19-1.5.13, found no class "
              + missing.getMessage(),
          missing);
    }
  }

  static Backend cpu(CpuOptions options) {
    return new CpuBackend(options);
  }
}
