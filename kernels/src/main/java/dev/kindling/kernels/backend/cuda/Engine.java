package dev.kindling.kernels.backend.cuda;

import java.util.HashMap;
import java.util.Map;

/** What all programs of a device share: kernels, libraries, and scratch memory within one node. */
final class Engine implements AutoCloseable {
  private final CudaDevice device;
  private final KernelModule kernels;
  private final CublasLt blas;
  private final int multiprocessors;
  private final Map<RopeTable, Long> ropeTables = new HashMap<>();
  private long scratch;
  private long scratchBytes;

  Engine(CudaDevice device) {
    this.device = device;
    multiprocessors = device.multiprocessors();
    kernels = new KernelModule(device);
    blas = new CublasLt(device);
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
    return new Launch(
        kernel, launch -> new KernelCall(kernels.function(kernel), device.stream(), launch));
  }

  int multiprocessors() {
    return multiprocessors;
  }

  /** Address of the angles, computed once for all programs. */
  long ropeTable(RopeTable table) {
    return ropeTables.computeIfAbsent(table, kind -> device.store(kind.content(), "rope table"));
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
