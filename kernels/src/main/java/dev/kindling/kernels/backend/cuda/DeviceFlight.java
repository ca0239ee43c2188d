package dev.kindling.kernels.backend.cuda;

import dev.kindling.kernels.backend.DeviceCommunicator;
import dev.kindling.kernels.backend.Flight;
import dev.kindling.kernels.backend.Reduction;
import dev.kindling.kernels.backend.cuda.layout.Element;

/**
 * A flight that the devices make among themselves. The host never waits: the main stream does,
 * where it wants the mean.
 */
final class DeviceFlight implements Flight {
  private static final String NAME = "an average over replicas";

  private final CudaDevice device;
  private final DeviceCommunicator communicator;
  private final FlightStream stream;
  private final long address;
  private final long count;
  private final Command mean;
  private boolean underWay;
  private long bytesSent;

  /**
   * @param address of the payload, fp32
   * @param bytes of the payload
   * @param communicator of this flight alone, over more than one rank
   */
  DeviceFlight(Engine engine, long address, long bytes, DeviceCommunicator communicator) {
    this.device = engine.device();
    this.communicator = communicator;
    this.address = address;
    count = bytes / Float.BYTES;
    stream = new FlightStream(engine);
    mean = stream.mean(address, count, communicator.worldSize());
    device.peers().meet(communicator);
  }

  @Override
  public void begin() {
    if (underWay) {
      throw new IllegalStateException("a flight: expected none under way, found one");
    }
    device.makeCurrent();
    communicator.check();
    stream.depart();
    long lane = stream.stream().number();
    communicator.allReduce(address, address, count, Element.F32, Reduction.SUM, lane);
    mean.issue();
    stream.land();
    underWay = true;
  }

  @Override
  public void await() {
    if (!underWay) {
      return;
    }
    device.makeCurrent();
    long sent = 2 * count * Float.BYTES * (communicator.worldSize() - 1) / communicator.worldSize();
    // Its watch begins here, where somebody waits: until now it might take as long as it liked.
    device.peers().submit(communicator, NAME, sent);
    bytesSent += sent;
    stream.want();
    stream.join();
    underWay = false;
  }

  @Override
  public boolean isUnderWay() {
    return underWay;
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
    if (!device.peers().givenUp()) {
      stream.close();
    }
  }
}
