package dev.kindling.kernels.backend;

import dev.kindling.kernels.backend.cpu.CpuBackend;
import dev.kindling.kernels.backend.cuda.CudaBackend;
import dev.kindling.kernels.backend.cuda.image.MissingLibrary;
import dev.kindling.kernels.graph.Axis;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Variable;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.function.Consumer;

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
   *
   * @throws ChoiceException if the device cannot run an adopted choice
   */
  Program compile(Graph graph, Memory memory, Map<Axis, Communicator> communicators);

  /**
   * A mean over ranks of all variables of one role, which runs beside programs over this memory.
   *
   * @param communicator of the flight alone; closed by whoever opened it, before the flight
   * @throws PlanException if this device has none
   */
  default Flight flight(Memory memory, Role role, Communicator communicator) {
    throw new PlanException(name() + ": expected a device with reductions beside its programs");
  }

  /**
   * What this device measured and chose while it compiled, as lines of text; empty where nothing is
   * measured. Choices change the order of sums, so ranks and resumed runs must choose alike.
   */
  String choices();

  /**
   * Makes later compilations choose as these lines say. Lines of other devices, libraries or shapes
   * are kept and do no harm.
   *
   * @throws DeviceException if a line is not what {@link #choices} writes
   */
  void adopt(String choices);

  /** Makes the device the one that libraries beside this backend use on this thread. */
  default void makeCurrent() {}

  /**
   * @throws BusyDeviceException if work on the device does not end after a failure: nothing is
   *     freed, and this process is to end
   */
  @Override
  void close();

  /** As {@link #cuda(CudaOptions, Consumer)} for a caller that nobody watches. */
  static Backend cuda(CudaOptions options) {
    return cuda(options, line -> {});
  }

  /**
   * One GPU; needs the CUDA bindings on the class path.
   *
   * @param notices hears, a line each, what takes long
   * @throws DeviceException if there is no such GPU, driver or library
   */
  static Backend cuda(CudaOptions options, Consumer<String> notices) {
    try {
      return new CudaBackend(options, notices);
    } catch (LinkageError missing) {
      if (missing.getCause() instanceof ClassNotFoundException) {
        throw new DeviceException(
            "cuda: the CUDA bindings are not on the class path; expected kindling-cuda-VERSION.jar"
                + " beside the application jar (spark-submit: --jars), found no class "
                + missing.getMessage(),
            missing);
      }
      throw new DeviceException(
          "cuda: a library of CUDA 13 cannot be loaded; expected it on LD_LIBRARY_PATH or in"
              + " /usr/local/cuda/lib64, found: "
              + MissingLibrary.reason(missing)
              + "; bin/kindling doctor --device cuda lists them all",
          missing);
    }
  }

  static Backend cpu(CpuOptions options) {
    return new CpuBackend(options);
  }
}
