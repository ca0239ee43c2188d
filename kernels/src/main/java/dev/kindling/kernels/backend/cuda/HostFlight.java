package dev.kindling.kernels.backend.cuda;

import static dev.kindling.kernels.backend.cuda.Cuda.check;

import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.Flight;
import dev.kindling.kernels.backend.FlightThread;
import dev.kindling.kernels.backend.Reduction;
import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.memory.Closing;
import java.util.ArrayList;
import java.util.List;
import jcuda.driver.CUevent;
import jcuda.driver.CUevent_flags;
import jcuda.driver.JCudaDriver;

/**
 * A flight whose ranks meet through their hosts: a copy engine brings pieces of the payload to
 * page-locked memory, a thread reduces them over the host's communicator, and a copy engine brings
 * them back. No multiprocessor waits for the network.
 */
final class HostFlight implements Flight {
  /** While one is on the network the next one comes from the device. */
  private static final int BUFFERS = 2;

  /** What a round trip to the device costs beside so much on any network is nothing. */
  private static final long PIECE_BYTES = 32L << 20;

  private final CudaDevice device;
  private final Communicator communicator;
  private final FlightStream stream;
  private final long address;
  private final long bytes;
  private final Command mean;
  private final List<PinnedArena> buffers = new ArrayList<>();
  private final List<CUevent> fetched = new ArrayList<>();
  private final FlightThread thread;
  private long bytesSent;

  /**
   * @param address of the payload, fp32
   * @param bytes of the payload
   * @param communicator of this flight alone, over more than one rank
   */
  HostFlight(Engine engine, long address, long bytes, Communicator communicator) {
    this.device = engine.device();
    this.communicator = communicator;
    this.address = address;
    this.bytes = bytes;
    stream = new FlightStream(engine);
    mean = stream.mean(address, bytes / Float.BYTES, communicator.worldSize());
    for (int i = 0; i < BUFFERS; i++) {
      buffers.add(new PinnedArena(device, Math.min(bytes, PIECE_BYTES)));
      fetched.add(CopyLane.event(device, CUevent_flags.CU_EVENT_BLOCKING_SYNC));
    }
    thread = new FlightThread(communicator.rank());
  }

  @Override
  public void begin() {
    if (thread.isUnderWay()) {
      throw new IllegalStateException("a flight: expected none under way, found one");
    }
    device.makeCurrent();
    stream.depart();
    thread.begin(this::travel);
  }

  private void travel() {
    device.makeCurrent();
    long pieces = (bytes + PIECE_BYTES - 1) / PIECE_BYTES;
    fetch(0);
    for (long piece = 0; piece < pieces; piece++) {
      if (piece + 1 < pieces) {
        // Behind the way back of the piece that this buffer held before: one stream, in order.
        fetch(piece + 1);
      }
      int buffer = (int) (piece % BUFFERS);
      check(JCudaDriver.cuEventSynchronize(fetched.get(buffer)), "a piece of a flight");
      PinnedArena host = buffers.get(buffer);
      communicator.allReduce(host.span().slice(0, length(piece)), DType.F32, Reduction.SUM);
      check(
          JCudaDriver.cuMemcpyHtoDAsync(at(piece), host.pointer(), length(piece), stream.stream()),
          "cuMemcpyHtoDAsync of a flight");
    }
    mean.issue();
    stream.land();
  }

  private void fetch(long piece) {
    int buffer = (int) (piece % BUFFERS);
    check(
        JCudaDriver.cuMemcpyDtoHAsync(
            buffers.get(buffer).pointer(), at(piece), length(piece), stream.stream()),
        "cuMemcpyDtoHAsync of a flight");
    check(JCudaDriver.cuEventRecord(fetched.get(buffer), stream.stream()), "cuEventRecord");
  }

  private Address.Device at(long piece) {
    return Address.Device.at(address + piece * PIECE_BYTES);
  }

  private long length(long piece) {
    return Math.min(PIECE_BYTES, bytes - piece * PIECE_BYTES);
  }

  @Override
  public void await() {
    if (!thread.isUnderWay()) {
      return;
    }
    device.makeCurrent();
    stream.want();
    thread.await();
    stream.join();
    bytesSent = communicator.bytesSent();
  }

  @Override
  public boolean isUnderWay() {
    return thread.isUnderWay();
  }

  @Override
  public long bytesSent() {
    return bytesSent;
  }

  @Override
  public long exposedNanos() {
    return stream.exposedNanos();
  }

  @Override
  public void close() {
    thread.close();
    if (device.peers().givenUp()) {
      return;
    }
    device.makeCurrent();
    List<AutoCloseable> parts = new ArrayList<>();
    // What it still copies must not outlive its buffers.
    parts.add(() -> check(JCudaDriver.cuStreamSynchronize(stream.stream()), "a flight's copies"));
    parts.add(stream);
    parts.addAll(buffers);
    for (CUevent event : fetched) {
      parts.add(() -> check(JCudaDriver.cuEventDestroy(event), "cuEventDestroy"));
    }
    Closing.all(parts);
  }
}
