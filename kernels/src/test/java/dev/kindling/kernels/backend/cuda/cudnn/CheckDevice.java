package dev.kindling.kernels.backend.cuda.cudnn;

import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import jcuda.Pointer;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUevent;
import jcuda.driver.CUgraph;
import jcuda.driver.CUgraphExec;
import jcuda.driver.CUstream;
import jcuda.driver.JCudaDriver;

/** Memory, one stream and timing on the first GPU, through its primary context. */
final class CheckDevice implements AutoCloseable {
  private static final int NON_BLOCKING = 1;
  private static final int RELAXED_CAPTURE = 2;

  private final Stream stream = new Stream();
  private final Map<Long, CUdeviceptr> blocks = new HashMap<>();

  CheckDevice() {
    JCudaDriver.setExceptionsEnabled(true);
    JCudaDriver.cuInit(0);
    CUdevice device = new CUdevice();
    JCudaDriver.cuDeviceGet(device, 0);
    CUcontext context = new CUcontext();
    JCudaDriver.cuDevicePrimaryCtxRetain(context, device);
    JCudaDriver.cuCtxSetCurrent(context);
    JCudaDriver.cuStreamCreate(stream, NON_BLOCKING);
  }

  private static final class Stream extends CUstream {
    long address() {
      return getNativePointer();
    }
  }

  private static final class Address extends CUdeviceptr {
    long value() {
      return getNativePointer();
    }
  }

  static String name() {
    CUdevice device = new CUdevice();
    JCudaDriver.cuDeviceGet(device, 0);
    byte[] name = new byte[128];
    JCudaDriver.cuDeviceGetName(name, name.length, device);
    return new String(name, StandardCharsets.US_ASCII).trim();
  }

  long stream() {
    return stream.address();
  }

  long allocate(long bytes) {
    Address block = new Address();
    JCudaDriver.cuMemAlloc(block, Math.max(bytes, 256));
    blocks.put(block.value(), block);
    return block.value();
  }

  private CUdeviceptr block(long address) {
    CUdeviceptr block = blocks.get(address);
    if (block == null) {
      throw new IllegalArgumentException("no block starts at " + address);
    }
    return block;
  }

  void fill(long address, int value, long bytes) {
    if (bytes > 0) {
      JCudaDriver.cuMemsetD8Async(block(address), (byte) value, bytes, stream);
    }
  }

  void upload(long address, short[] values) {
    JCudaDriver.cuMemcpyHtoD(block(address), Pointer.to(values), 2L * values.length);
  }

  void download(long address, short[] values) {
    JCudaDriver.cuMemcpyDtoH(Pointer.to(values), block(address), 2L * values.length);
  }

  void download(long address, float[] values) {
    JCudaDriver.cuMemcpyDtoH(Pointer.to(values), block(address), 4L * values.length);
  }

  void synchronize() {
    JCudaDriver.cuStreamSynchronize(stream);
  }

  /** Captures what an action enqueues; the result replays it. */
  Runnable capture(Runnable action) {
    JCudaDriver.cuStreamBeginCapture(stream, RELAXED_CAPTURE);
    CUgraph graph = new CUgraph();
    try {
      action.run();
    } finally {
      JCudaDriver.cuStreamEndCapture(stream, graph);
    }
    CUgraphExec executable = new CUgraphExec();
    JCudaDriver.cuGraphInstantiate(executable, graph, 0);
    JCudaDriver.cuGraphDestroy(graph);
    return () -> JCudaDriver.cuGraphLaunch(executable, stream);
  }

  /** Microseconds per call: the best of five times so many calls. */
  double microseconds(int calls, Runnable action) {
    CUevent start = new CUevent();
    CUevent end = new CUevent();
    JCudaDriver.cuEventCreate(start, 0);
    JCudaDriver.cuEventCreate(end, 0);
    double best = Double.POSITIVE_INFINITY;
    float[] milliseconds = new float[1];
    action.run();
    for (int round = 0; round < 5; round++) {
      JCudaDriver.cuEventRecord(start, stream);
      for (int call = 0; call < calls; call++) {
        action.run();
      }
      JCudaDriver.cuEventRecord(end, stream);
      JCudaDriver.cuEventSynchronize(end);
      JCudaDriver.cuEventElapsedTime(milliseconds, start, end);
      best = Math.min(best, 1000.0 * milliseconds[0] / calls);
    }
    JCudaDriver.cuEventDestroy(start);
    JCudaDriver.cuEventDestroy(end);
    return best;
  }

  @Override
  public void close() {
    synchronize();
    // The setting is the process's; the backend beside this one reads codes.
    JCudaDriver.setExceptionsEnabled(false);
    blocks.values().forEach(JCudaDriver::cuMemFree);
    blocks.clear();
    JCudaDriver.cuStreamDestroy(stream);
  }
}
