package dev.kindling.kernels.backend.cuda;

import static dev.kindling.kernels.backend.cuda.Cuda.check;

import dev.kindling.kernels.memory.Closing;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import jcuda.driver.JCudaDriver;

/** What all programs of a device share: kernels, libraries, and scratch memory within one node. */
final class Engine implements AutoCloseable {
  private final CudaDevice device;
  private final KernelModule kernels;
  private final CublasLt blas;
  private final int multiprocessors;
  private final Map<RopeTable, Long> ropeTables = new HashMap<>();
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
    try {
      blas = new CublasLt(device, measured);
    } catch (RuntimeException | Error failure) {
      Closing.after(failure, kernels);
      throw failure;
    }
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

  Launch launch(String kernel, Address.Stream on) {
    return new Launch(kernel, launch -> new KernelCall(kernels.function(kernel), on, launch));
  }

  Command zero(long address, long bytes, Address.Stream stream) {
    Address.Device at = Address.Device.at(address);
    return () ->
        check(JCudaDriver.cuMemsetD8Async(at, (byte) 0, bytes, stream), "cuMemsetD8Async " + bytes);
  }

  /** Between any two addresses: unified addressing tells memory of the host from the device's. */
  Command copy(long from, long to, long bytes, Address.Stream stream) {
    Address.Device source = Address.Device.at(from);
    Address.Device target = Address.Device.at(to);
    return () ->
        check(JCudaDriver.cuMemcpyAsync(target, source, bytes, stream), "cuMemcpyAsync " + bytes);
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
    Closing.all(List.of(blas, kernels));
  }
}
