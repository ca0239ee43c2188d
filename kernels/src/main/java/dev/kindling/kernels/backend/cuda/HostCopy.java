package dev.kindling.kernels.backend.cuda;

import static dev.kindling.kernels.backend.cuda.Cuda.check;

import dev.kindling.kernels.memory.Span;
import java.nio.ByteBuffer;
import jcuda.Pointer;
import jcuda.driver.JCudaDriver;

/** Blocking copies between the device and pageable memory of the host. */
final class HostCopy {
  private HostCopy() {}

  /** What is stored in bf16 alone is fp32 to the host, rounded to nearest on its way down. */
  static void narrow(String variable, long address, Span wide, boolean toHost) {
    try (Span narrow = Span.allocate(wide.bytes() / 2)) {
      if (!toHost) {
        Bf16.narrow(wide.buffer(), narrow.buffer());
      }
      plain(variable, narrow.buffer(), address, toHost);
      if (toHost) {
        Bf16.widen(narrow.buffer(), wide.buffer());
      }
    }
  }

  static void plain(String variable, ByteBuffer content, long address, boolean toHost) {
    Pointer host = Pointer.to(content);
    Address.Device there = Address.Device.at(address);
    long bytes = content.capacity();
    check(
        toHost
            ? JCudaDriver.cuMemcpyDtoH(host, there, bytes)
            : JCudaDriver.cuMemcpyHtoD(there, host, bytes),
        (toHost ? "cuMemcpyDtoH " : "cuMemcpyHtoD ") + variable);
  }
}
