package dev.kindling.kernels.backend.cuda;

import static dev.kindling.kernels.backend.cuda.Cuda.check;

import dev.kindling.kernels.backend.DeviceException;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;

/**
 * Page-locked host memory of any size under an address of the device: its copy engines read it at
 * the rate of the bus, and its kernels read and write it through the bus. Zero at first.
 */
final class HostArena implements AutoCloseable {
  private final Address.Host pointer = new Address.Host();
  private final long bytes;
  private final long address;

  /**
   * @param bytes may be 0
   * @throws DeviceException if the host has too little memory that may be page-locked
   */
  HostArena(CudaDevice device, long bytes) {
    this.bytes = bytes;
    if (bytes == 0) {
      address = 0;
      return;
    }
    device.makeCurrent();
    int flags = JCudaDriver.CU_MEMHOSTALLOC_PORTABLE | JCudaDriver.CU_MEMHOSTALLOC_DEVICEMAP;
    if (JCudaDriver.cuMemHostAlloc(pointer, bytes, flags) != CUresult.CUDA_SUCCESS) {
      throw new DeviceException(
          String.format(
              "cuda: memory.weights host: expected %,d bytes of page-locked host memory, found"
                  + " fewer",
              bytes));
    }
    Address.Device mapped = new Address.Device();
    check(JCudaDriver.cuMemHostGetDevicePointer(mapped, pointer, 0), "cuMemHostGetDevicePointer");
    address = mapped.number();
    clear();
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
      check(JCudaDriver.cuMemFreeHost(pointer), "cuMemFreeHost");
    }
  }
}
