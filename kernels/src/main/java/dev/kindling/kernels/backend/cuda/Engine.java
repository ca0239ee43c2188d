package dev.kindling.kernels.backend.cuda;

import java.util.HashMap;
import java.util.Map;
import java.util.function.Consumer;

/** What all programs of a device share: kernels, libraries, and scratch memory within one node. */
final class Engine implements AutoCloseable {
  private final CudaDevice device;
  private final KernelModule kernels;
  private final CublasLt blas;
  private final int multiprocessors;
  private final Map<String, Long> ropeTables = new HashMap<>();
  private long scratch;
  private long scratchBytes;

  /**
   * @param measured whether the algorithms of products are timed
   * @param notices hears what takes long
   */
  Engine(CudaDevice device, boolean measured, Consumer<String> notices) {
    this.device = device;
    multiprocessors = device.multiprocessors();
    kernels = new KernelModule(device, notices);
    blas = new CublasLt(device, measured);
  }

  CudaDevice device() {
    return device;
  }

  KernelModule kernels() {
    return kernels;
  }

  CublasLt blas() {
    return blas;
  }

  Launch launch(String kernel) {
    return launch(kernel, device.stream());
  }

  Launch launch(String kernel, Address.Stream stream) {
    return new Launch(kernel, kernels, stream);
  }

  int multiprocessors() {
    return multiprocessors;
  }

  /** Address of the angles of this kind, computed once for the most positions asked for. */
  long ropeTable(int headDim, double theta, int rows) {
    String kind = headDim + " " + theta + " " + rows;
    return ropeTables.computeIfAbsent(
        kind,
        unknown -> {
          long address = device.reserve(4L * rows * headDim, "rope table");
          RopeCuda.fill(address, headDim, theta, rows);
          return address;
        });
  }

  /** Memory that nobody keeps anything in between two nodes: nodes run one after the other. */
  long scratch(long bytes) {
    if (bytes > scratchBytes) {
      scratch = device.reserve(bytes, "scratch");
      scratchBytes = bytes;
    }
    return scratch;
  }

  @Override
  public void close() {
    device.makeCurrent();
    blas.close();
    kernels.close();
  }
}
