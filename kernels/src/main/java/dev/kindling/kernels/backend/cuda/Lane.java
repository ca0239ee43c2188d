package dev.kindling.kernels.backend.cuda;

import static dev.kindling.kernels.backend.cuda.Cuda.check;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import jcuda.driver.CUevent;
import jcuda.driver.CUevent_flags;
import jcuda.driver.JCudaDriver;

/** Where the main stream of a program and the device's communication lane wait for each other. */
final class Lane implements AutoCloseable {
  private final CudaDevice device;
  private final List<CUevent> events = new ArrayList<>();
  private final Map<Integer, CUevent> landed = new HashMap<>();

  Lane(CudaDevice device) {
    this.device = device;
  }

  Address.Stream stream() {
    return device.lane();
  }

  /** The lane waits for all that the main stream has so far. */
  Command fork() {
    CUevent event = event();
    return named(
        "fork",
        () -> {
          check(JCudaDriver.cuEventRecord(event, device.stream()), "cuEventRecord (fork)");
          check(JCudaDriver.cuStreamWaitEvent(device.lane(), event, 0), "cuStreamWaitEvent (fork)");
        });
  }

  /** Marks the end of what the lane has so far, under the index of its last group. */
  Command land(int group) {
    CUevent event = event();
    landed.put(group, event);
    return named(
        "land", () -> check(JCudaDriver.cuEventRecord(event, device.lane()), "cuEventRecord"));
  }

  /** Whether something landed under this index. */
  boolean has(int group) {
    return landed.containsKey(group);
  }

  /** The main stream waits for what landed under this index. */
  Command join(int group) {
    CUevent event = java.util.Objects.requireNonNull(landed.get(group));
    return named(
        "join",
        () -> check(JCudaDriver.cuStreamWaitEvent(device.stream(), event, 0), "cuStreamWaitEvent"));
  }

  private CUevent event() {
    CUevent event = new CUevent();
    device.makeCurrent();
    int flags = CUevent_flags.CU_EVENT_DISABLE_TIMING;
    check(JCudaDriver.cuEventCreate(event, flags), "cuEventCreate");
    events.add(event);
    return event;
  }

  private static Command named(String name, Runnable body) {
    return new Command() {
      @Override
      public void issue() {
        body.run();
      }

      @Override
      public String toString() {
        return name;
      }
    };
  }

  @Override
  public void close() {
    for (CUevent event : events) {
      check(JCudaDriver.cuEventDestroy(event), "cuEventDestroy");
    }
    events.clear();
  }
}
