package dev.kindling.kernels.backend.cuda;

import static dev.kindling.kernels.backend.cuda.Cuda.check;

import dev.kindling.kernels.memory.Span;
import dev.kindling.kernels.random.Int8Grid;
import java.nio.ByteBuffer;
import jcuda.Pointer;
import jcuda.driver.JCudaDriver;

/** Blocking copies between the device and pageable memory of the host. */
final class HostCopy {
  private HostCopy() {}

  /**
   * Brings a run of a variable to the host.
   *
   * @param from first byte as the host sees it
   */
  static void fetch(CudaSnapshot.Source stored, long from, Span target) {
    switch (stored.form()) {
      case PLAIN -> plain(stored.name(), target.buffer(), stored.address() + from, true);
      case BF16 -> {
        try (Span narrow = Span.allocate(target.bytes() / 2)) {
          plain(stored.name(), narrow.buffer(), stored.address() + from / 2, true);
          Bf16.widen(narrow.buffer(), target.buffer());
        }
      }
      case CODES -> decode(stored, from / Float.BYTES, target);
    }
  }

  private static void decode(CudaSnapshot.Source stored, long first, Span target) {
    long count = target.bytes() / Float.BYTES;
    if (count == 0) {
      return;
    }
    long firstGrid = first / Int8Grid.GROUP;
    long grids = (first + count - 1) / Int8Grid.GROUP + 1 - firstGrid;
    long behind = stored.address() + Int8Grid.gridsOf(stored.bytes());
    try (Span codes = Span.allocate(count);
        Span words = Span.allocate(grids * Integer.BYTES)) {
      plain(stored.name(), codes.buffer(), stored.address() + first, true);
      plain(stored.name(), words.buffer(), behind + firstGrid * Integer.BYTES, true);
      Int8Grid.decode(codes.buffer(), words.buffer(), first, target);
    }
  }

  /**
   * Hands bytes of a variable from {@code from} on to the device, whole groups of a parameter in
   * codes. What is stored in fewer bits is rounded to nearest; what those bits hold arrives as it
   * is.
   */
  static void publish(CudaSnapshot.Source stored, long from, Span wide) {
    switch (stored.form()) {
      case PLAIN -> plain(stored.name(), wide.buffer(), stored.address() + from, false);
      case BF16 -> {
        try (Span narrow = Span.allocate(wide.bytes() / 2)) {
          Bf16.narrow(wide.buffer(), narrow.buffer());
          plain(stored.name(), narrow.buffer(), stored.address() + from / 2, false);
        }
      }
      case CODES -> encode(stored, from / Float.BYTES, wide);
    }
  }

  private static void encode(CudaSnapshot.Source stored, long first, Span wide) {
    long count = wide.bytes() / Float.BYTES;
    long grids = Int8Grid.gridsOf(stored.bytes());
    try (Span coded = Int8Grid.encode(wide)) {
      if (Int8Grid.bytes(count) == stored.bytes()) {
        plain(stored.name(), coded.buffer(), stored.address(), false);
        return;
      }
      long own = Int8Grid.gridsOf(coded.bytes());
      long behind = grids + first / Int8Grid.GROUP * Integer.BYTES;
      plain(stored.name(), coded.slice(0, count).buffer(), stored.address() + first, false);
      plain(
          stored.name(),
          coded.slice(own, coded.bytes() - own).buffer(),
          stored.address() + behind,
          false);
    }
  }

  private static void plain(String variable, ByteBuffer content, long address, boolean toHost) {
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
