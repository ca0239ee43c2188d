package dev.kindling.kernels.backend.cuda;

import static dev.kindling.kernels.backend.cuda.Cuda.check;

import dev.kindling.kernels.backend.DeviceException;
import dev.kindling.kernels.memory.Closing;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import jcuda.Pointer;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdevice_attribute;
import jcuda.driver.CUstream_flags;
import jcuda.driver.JCudaDriver;
import org.jspecify.annotations.Nullable;

/**
 * One GPU: its primary context, which the libraries share, one stream, the kernels, and every block
 * of device memory that was reserved. Close it last.
 */
final class CudaDevice implements AutoCloseable {
  private final int ordinal;
  private final CUdevice device = new CUdevice();
  private final CUcontext context = new CUcontext();
  private final Address.Stream stream = new Address.Stream();
  private final Peers peers = new Peers();
  private final List<Address.Device> blocks = new ArrayList<>();
  private Address.@Nullable Stream lane;
  private long reserved;

  /**
   * @param ordinal of the GPU among those this process sees
   * @throws DeviceException if there is no such GPU or no usable driver
   */
  CudaDevice(int ordinal) {
    this.ordinal = ordinal;
    Cuda.initialize();
    int[] count = new int[1];
    check(JCudaDriver.cuDeviceGetCount(count), "cuDeviceGetCount");
    if (ordinal < 0 || ordinal >= count[0]) {
      throw new DeviceException(
          "cuda: expected GPU %d, found %d GPU(s) in this process; use at most %d rank(s) a machine"
              .formatted(ordinal, count[0], count[0]));
    }
    check(JCudaDriver.cuDeviceGet(device, ordinal), "cuDeviceGet " + ordinal);
    String refusal = DriverGate.refusal(capability(), name());
    if (!refusal.isEmpty()) {
      throw new DeviceException("cuda: " + refusal);
    }
    check(JCudaDriver.cuDevicePrimaryCtxRetain(context, device), "cuDevicePrimaryCtxRetain");
    try {
      makeCurrent();
      int nonBlocking = CUstream_flags.CU_STREAM_NON_BLOCKING;
      check(JCudaDriver.cuStreamCreate(stream, nonBlocking), "cuStreamCreate");
    } catch (RuntimeException | Error failure) {
      Closing.after(failure, this::releaseContext);
      throw failure;
    }
  }

  private void releaseContext() {
    check(JCudaDriver.cuDevicePrimaryCtxRelease(device), "cuDevicePrimaryCtxRelease");
  }

  /** Every thread that calls the device says so first; a context is a property of the thread. */
  void makeCurrent() {
    check(JCudaDriver.cuCtxSetCurrent(context), "cuCtxSetCurrent");
  }

  Address.Stream stream() {
    return stream;
  }

  /** The communication lane, a second stream whose kernels go first; made on first use. */
  Address.Stream lane() {
    Address.Stream made = lane;
    if (made == null) {
      made = new Address.Stream();
      makeCurrent();
      int[] least = new int[1];
      int[] greatest = new int[1];
      check(
          JCudaDriver.cuCtxGetStreamPriorityRange(least, greatest), "cuCtxGetStreamPriorityRange");
      int nonBlocking = CUstream_flags.CU_STREAM_NON_BLOCKING;
      check(
          JCudaDriver.cuStreamCreateWithPriority(made, nonBlocking, greatest[0]),
          "cuStreamCreateWithPriority " + greatest[0]);
      lane = made;
    }
    return made;
  }

  /** The other ranks that programs of this device meet. */
  Peers peers() {
    return peers;
  }

  String name() {
    byte[] text = new byte[128];
    check(JCudaDriver.cuDeviceGetName(text, text.length, device), "cuDeviceGetName");
    int end = 0;
    while (end < text.length && text[end] != 0) {
      end++;
    }
    return new String(text, 0, end, StandardCharsets.UTF_8);
  }

  int multiprocessors() {
    return attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
  }

  /** Bytes of shared memory that a block can have if its kernel asks for them. */
  int sharedBytes() {
    return attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN);
  }

  private int attribute(int attribute) {
    int[] value = new int[1];
    check(JCudaDriver.cuDeviceGetAttribute(value, attribute, device), "cuDeviceGetAttribute");
    return value[0];
  }

  /** Compute capability, for example 90. */
  int capability() {
    int[] major = new int[1];
    int[] minor = new int[1];
    check(
        JCudaDriver.cuDeviceGetAttribute(
            major, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, device),
        "cuDeviceGetAttribute");
    check(
        JCudaDriver.cuDeviceGetAttribute(
            minor, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, device),
        "cuDeviceGetAttribute");
    return major[0] * 10 + minor[0];
  }

  /**
   * Zeroed device memory that lives as long as the device.
   *
   * @param what for the message when it does not fit
   * @return its address, 0 for 0 bytes
   */
  long reserve(long bytes, String what) {
    if (bytes == 0) {
      return 0;
    }
    makeCurrent();
    Address.Device block = new Address.Device();
    int code = JCudaDriver.cuMemAlloc(block, bytes);
    if (code != jcuda.driver.CUresult.CUDA_SUCCESS) {
      long[] free = new long[1];
      long[] total = new long[1];
      check(JCudaDriver.cuMemGetInfo(free, total), "cuMemGetInfo");
      throw new DeviceException(
          String.format(
              "cuda: %s: expected %,d bytes, found %,d of %,d free on %s (%,d reserved before)",
              what, bytes, free[0], total[0], name(), reserved));
    }
    blocks.add(block);
    reserved += bytes;
    check(JCudaDriver.cuMemsetD8(block, (byte) 0, bytes), "cuMemsetD8 " + what);
    return block.number();
  }

  /** Reserves memory for the content and writes it there. */
  long store(ByteBuffer content, String what) {
    int bytes = content.remaining();
    long address = reserve(bytes, what);
    if (bytes > 0) {
      check(
          JCudaDriver.cuMemcpyHtoD(Address.Device.at(address), Pointer.to(content), bytes),
          "cuMemcpyHtoD " + what);
    }
    return address;
  }

  /** Bytes that nobody holds now, other processes included. */
  long freeBytes() {
    makeCurrent();
    long[] free = new long[1];
    long[] total = new long[1];
    check(JCudaDriver.cuMemGetInfo(free, total), "cuMemGetInfo");
    return free[0];
  }

  /** Bytes of the whole device. */
  long totalBytes() {
    makeCurrent();
    long[] free = new long[1];
    long[] total = new long[1];
    check(JCudaDriver.cuMemGetInfo(free, total), "cuMemGetInfo");
    return total[0];
  }

  /** Device bytes reserved so far; the context itself comes on top. */
  long reservedBytes() {
    return reserved;
  }

  /** Zeroes bytes and waits for that. */
  void zero(long address, long bytes, String what) {
    if (bytes > 0) {
      Address.Device at = Address.Device.at(address);
      check(JCudaDriver.cuMemsetD8Async(at, (byte) 0, bytes, stream), "cuMemsetD8Async " + what);
      synchronize("clear " + what);
    }
  }

  /** Waits for everything on the stream; errors of earlier launches surface here. */
  void synchronize(String what) {
    if (peers.isEmpty()) {
      check(JCudaDriver.cuStreamSynchronize(stream), what);
    } else {
      peers.await(() -> JCudaDriver.cuStreamQuery(stream), peers.handed(), what);
    }
  }

  @Override
  public String toString() {
    return "cuda:" + ordinal + " " + name();
  }

  @Override
  public void close() {
    if (peers.givenUp()) {
      // To free anything would wait for kernels that never end; the backend says so, and whoever
      // runs ranks in a process that stays (a Spark executor) ends it.
      return;
    }
    // After an error of a kernel every call fails; the context must be released all the same.
    List<AutoCloseable> parts = new ArrayList<>();
    parts.add(this::makeCurrent);
    for (Address.Device block : blocks) {
      parts.add(() -> check(JCudaDriver.cuMemFree(block), "cuMemFree"));
    }
    blocks.clear();
    Address.Stream second = lane;
    if (second != null) {
      parts.add(() -> check(JCudaDriver.cuStreamDestroy(second), "cuStreamDestroy"));
    }
    parts.add(() -> check(JCudaDriver.cuStreamDestroy(stream), "cuStreamDestroy"));
    parts.add(this::releaseContext);
    Closing.all(parts);
  }
}
