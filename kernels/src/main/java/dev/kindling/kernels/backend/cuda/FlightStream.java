package dev.kindling.kernels.backend.cuda;

import static dev.kindling.kernels.backend.cuda.Cuda.check;

import dev.kindling.kernels.backend.DeviceException;
import dev.kindling.kernels.memory.Closing;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import jcuda.Pointer;
import jcuda.driver.CUevent;
import jcuda.driver.CUresult;
import jcuda.driver.CUstream_flags;
import jcuda.driver.JCudaDriver;

/**
 * A stream beside the main one whose kernels come last, with the places where the two wait for each
 * other. The device's own clock tells how long the main stream stood still.
 */
final class FlightStream implements AutoCloseable {
  private static final int THREADS = 256;
  private static final int BLOCKS_PER_MULTIPROCESSOR = 4;

  private final Engine engine;
  private final CudaDevice device;
  private final Address.Stream stream;
  private final CUevent departed = new CUevent();
  private final CUevent landed = new CUevent();
  private final CUevent wanted = new CUevent();
  private boolean untold;
  private long exposedNanos;
  private long flightNanos;

  FlightStream(Engine engine) {
    this.engine = engine;
    device = engine.device();
    device.makeCurrent();
    int[] least = new int[1];
    int[] greatest = new int[1];
    check(JCudaDriver.cuCtxGetStreamPriorityRange(least, greatest), "cuCtxGetStreamPriorityRange");
    stream = new Address.Stream();
    int nonBlocking = CUstream_flags.CU_STREAM_NON_BLOCKING;
    check(
        JCudaDriver.cuStreamCreateWithPriority(stream, nonBlocking, least[0]),
        "cuStreamCreateWithPriority " + least[0]);
    for (CUevent event : List.of(departed, landed, wanted)) {
      check(JCudaDriver.cuEventCreate(event, 0), "cuEventCreate");
    }
  }

  Address.Stream stream() {
    return stream;
  }

  /** What follows on this stream waits for all that the main stream has so far. */
  void depart() {
    tell();
    check(JCudaDriver.cuEventRecord(departed, device.stream()), "cuEventRecord (departed)");
    check(JCudaDriver.cuStreamWaitEvent(stream, departed, 0), "cuStreamWaitEvent (departed)");
  }

  /** Divides floats by a number of ranks, on this stream; a quotient is rounded once. */
  Launch mean(long address, long count, int ranks) {
    long blocks = (long) BLOCKS_PER_MULTIPROCESSOR * engine.multiprocessors();
    return engine
        .launch("payload_mean", stream)
        .grid(Math.min(blocks, 1 + count / THREADS), THREADS)
        .at(address)
        .longs(count)
        .floats(ranks)
        .ready();
  }

  /** Marks the end of what this stream has so far. */
  void land() {
    check(JCudaDriver.cuEventRecord(landed, stream), "cuEventRecord (landed)");
  }

  /** Marks where the main stream wants what is on its way. */
  void want() {
    check(JCudaDriver.cuEventRecord(wanted, device.stream()), "cuEventRecord (wanted)");
  }

  /** What follows on the main stream waits for the landing. */
  void join() {
    check(JCudaDriver.cuStreamWaitEvent(device.stream(), landed, 0), "cuStreamWaitEvent (landed)");
    untold = true;
  }

  /** How long the main stream stood still in flights that have landed. */
  long exposedNanos() {
    tell();
    return exposedNanos;
  }

  /** How long flights that have landed took. */
  long flightNanos() {
    tell();
    return flightNanos;
  }

  private void tell() {
    if (!untold) {
      return;
    }
    device.makeCurrent();
    if (JCudaDriver.cuEventQuery(landed) != CUresult.CUDA_SUCCESS
        || JCudaDriver.cuEventQuery(wanted) != CUresult.CUDA_SUCCESS) {
      return;
    }
    untold = false;
    flightNanos += nanos(departed, landed);
    exposedNanos += Math.max(0, nanos(wanted, landed));
  }

  /** Negative where the second came first. */
  private static long nanos(CUevent first, CUevent second) {
    float[] millis = new float[1];
    check(JCudaDriver.cuEventElapsedTime(millis, first, second), "cuEventElapsedTime");
    return (long) (millis[0] * 1e6);
  }

  /**
   * Divides a few numbers, and compares with the host.
   *
   * @param launched gets the kernel's name
   * @throws DeviceException if a quotient is wrong
   */
  static void selfTest(Engine engine, Set<String> launched) {
    int count = 1027;
    int ranks = 3;
    ByteBuffer content =
        ByteBuffer.allocateDirect(count * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < count; i++) {
      content.putFloat(i * Float.BYTES, i - 500);
    }
    long address = engine.device().store(content, "self-test");
    ByteBuffer found = ByteBuffer.allocateDirect(content.capacity()).order(content.order());
    try (FlightStream flight = new FlightStream(engine)) {
      Launch mean = flight.mean(address, count, ranks);
      flight.depart();
      mean.issue();
      flight.land();
      flight.want();
      flight.join();
      engine.device().synchronize("self-test: " + mean);
      launched.add(mean.toString());
    }
    check(
        JCudaDriver.cuMemcpyDtoH(Pointer.to(found), Address.Device.at(address), content.capacity()),
        "cuMemcpyDtoH self-test");
    for (int i = 0; i < count; i++) {
      float expected = content.getFloat(i * Float.BYTES) / ranks;
      if (found.getFloat(i * Float.BYTES) != expected) {
        throw new DeviceException(
            "cuda: self-test: payload_mean of %s: expected %s, found %s"
                .formatted(
                    content.getFloat(i * Float.BYTES), expected, found.getFloat(i * Float.BYTES)));
      }
    }
  }

  @Override
  public void close() {
    device.makeCurrent();
    List<AutoCloseable> parts = new ArrayList<>();
    parts.add(() -> check(JCudaDriver.cuStreamDestroy(stream), "cuStreamDestroy"));
    for (CUevent event : List.of(departed, landed, wanted)) {
      parts.add(() -> check(JCudaDriver.cuEventDestroy(event), "cuEventDestroy"));
    }
    Closing.all(parts);
  }
}
