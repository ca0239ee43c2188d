package dev.kindling.kernels.backend.cuda;

import static dev.kindling.kernels.backend.cuda.Cuda.check;

import dev.kindling.kernels.memory.Span;
import java.nio.ByteOrder;
import jcuda.driver.JCudaDriver;

/** Page-locked host memory, its content undefined: what a captured copy reads and writes. */
final class PinnedArena implements AutoCloseable {
  private final CudaDevice device;
  private final Address.Host pointer = new Address.Host();
  private final long bytes;
  private final Span span;

  PinnedArena(CudaDevice device, long bytes) {
    this.device = device;
    this.bytes = bytes;
    device.makeCurrent();
    // One byte at least: the driver refuses an empty allocation.
    check(JCudaDriver.cuMemHostAlloc(pointer, Math.max(bytes, 1), 0), "cuMemHostAlloc " + bytes);
    span = Span.of(pointer.buffer(Math.max(bytes, 1)).order(ByteOrder.LITTLE_ENDIAN));
  }

  /** The same, filled with zeros. */
  PinnedArena zeroed() {
    for (long i = 0; i < bytes; i += Float.BYTES) {
      span.putInt(i / Float.BYTES, 0);
    }
    return this;
  }

  Address.Host pointer() {
    return pointer;
  }

  /** Copies all of it to an address of the device, on its stream. */
  Command to(long address) {
    Address.Device there = Address.Device.at(address);
    return () ->
        check(
            JCudaDriver.cuMemcpyHtoDAsync(there, pointer, bytes, device.stream()),
            "cuMemcpyHtoDAsync to the device");
  }

  /** Copies as many bytes from an address of the device. */
  Command from(long address) {
    Address.Device there = Address.Device.at(address);
    return () ->
        check(
            JCudaDriver.cuMemcpyDtoHAsync(pointer, there, bytes, device.stream()),
            "cuMemcpyDtoHAsync to the host");
  }

  long bytes() {
    return bytes;
  }

  Span span() {
    return span;
  }

  @Override
  public void close() {
    check(JCudaDriver.cuMemFreeHost(pointer), "cuMemFreeHost");
  }
}
