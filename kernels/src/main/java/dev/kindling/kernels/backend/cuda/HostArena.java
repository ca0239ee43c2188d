package dev.kindling.kernels.backend.cuda;

import static dev.kindling.kernels.backend.cuda.Cuda.check;

import dev.kindling.kernels.backend.DeviceException;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;
import org.bytedeco.cuda.global.cudart;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerPointer;

/**
 * Page-locked host memory of any size under an address of the device: its copy engines read it at
 * the rate of the bus, and its kernels read and write it through the bus. Zero at first.
 *
 * <p>JCuda makes a buffer of Java of what it allocates, whose size is an int: of 60e9 bytes that
 * threw "capacity < 0", so the other bindings allocate here.
 */
final class HostArena implements AutoCloseable {
  private final long bytes;
  private final long number;
  private final long address;

  /**
   * @param bytes may be 0
   * @throws DeviceException if the host has too little memory that may be page-locked
   */
  HostArena(CudaDevice device, long bytes) {
    this.bytes = bytes;
    if (bytes == 0) {
      number = 0;
      address = 0;
      return;
    }
    device.makeCurrent();
    number = allocate(bytes);
    long[] mapped = new long[1];
    check(
        cudart.cuMemHostGetDevicePointer(mapped, new NativeAddress(number), 0),
        "cuMemHostGetDevicePointer");
    address = mapped[0];
    clear();
  }

  private static long allocate(long bytes) {
    int flags = JCudaDriver.CU_MEMHOSTALLOC_PORTABLE | JCudaDriver.CU_MEMHOSTALLOC_DEVICEMAP;
    try (PointerPointer<Pointer> out = new PointerPointer<>(1)) {
      if (cudart.cuMemHostAlloc(out, bytes, flags) != CUresult.CUDA_SUCCESS) {
        throw new DeviceException(
            String.format(
                "cuda: memory.weights host: expected %,d bytes of page-locked host memory, found"
                    + " fewer",
                bytes));
      }
      return out.get().address();
    }
  }

  /** Of the first byte, for the device; 0 if there is none. */
  long address() {
    return address;
  }

  /** Zeroes all of it; nothing may be under way. */
  void clear() {
    if (bytes > 0) {
      check(
          JCudaDriver.cuMemsetD8(Address.Device.at(address), (byte) 0, bytes),
          "cuMemsetD8 of host memory");
    }
  }

  @Override
  public void close() {
    if (bytes > 0) {
      check(cudart.cuMemFreeHost(new NativeAddress(number)), "cuMemFreeHost");
    }
  }
}
