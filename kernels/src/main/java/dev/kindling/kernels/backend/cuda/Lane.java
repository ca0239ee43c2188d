package dev.kindling.kernels.backend.cuda;

import static dev.kindling.kernels.backend.cuda.Cuda.check;

import dev.kindling.kernels.backend.DeviceCommunicator;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import jcuda.driver.CUevent;
import jcuda.driver.CUevent_flags;
import jcuda.driver.JCudaDriver;
import org.jspecify.annotations.Nullable;

/**
 * Where the main stream of a program and the device's communication lane wait for each other, and
 * how long the main stream does.
 */
final class Lane implements AutoCloseable {
  /**
   * What the lane has done up to here.
   *
   * @param communicator of the last collective, to which a wait for this is ascribed; null where
   *     the lane copies a weight
   */
  private record Landing(CUevent event, @Nullable DeviceCommunicator communicator) {}

  private final CudaDevice device;
  private final Engine engine;
  private final ExposedWords exposed;
  private final List<CUevent> events = new ArrayList<>();
  private final Map<Integer, Landing> landed = new HashMap<>();

  /**
   * @param exposed counts how long the main stream waits
   */
  Lane(Engine engine, ExposedWords exposed) {
    this.engine = engine;
    this.exposed = exposed;
    device = engine.device();
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
  Command land(int group, @Nullable DeviceCommunicator communicator) {
    CUevent event = event();
    landed.put(group, new Landing(event, communicator));
    return named(
        "land", () -> check(JCudaDriver.cuEventRecord(event, device.lane()), "cuEventRecord"));
  }

  /** Whether something landed under this index. */
  boolean has(int group) {
    return landed.containsKey(group);
  }

  /** The main stream waits for what landed under this index. */
  Command join(int group) {
    Landing landing = Objects.requireNonNull(landed.get(group));
    CUevent event = landing.event();
    Runnable wait =
        () -> check(JCudaDriver.cuStreamWaitEvent(device.stream(), event, 0), "cuStreamWaitEvent");
    if (landing.communicator() == null) {
      return named("join", wait);
    }
    Command begin = exposed.begin(engine::launch);
    Command end = exposed.end(engine::launch, landing.communicator());
    return named(
        "join",
        () -> {
          begin.issue();
          wait.run();
          end.issue();
        });
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
