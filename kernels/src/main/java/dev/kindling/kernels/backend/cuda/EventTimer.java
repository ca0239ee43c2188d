package dev.kindling.kernels.backend.cuda;

import static dev.kindling.kernels.backend.cuda.Cuda.check;

import java.util.Arrays;
import jcuda.driver.CUevent;
import jcuda.driver.JCudaDriver;

/** Times commands on the device's own clock. */
final class EventTimer implements AutoCloseable {
  private final CudaDevice device;
  private final CUevent begin = new CUevent();
  private final CUevent end = new CUevent();

  EventTimer(CudaDevice device) {
    this.device = device;
    device.makeCurrent();
    check(JCudaDriver.cuEventCreate(begin, 0), "cuEventCreate");
    check(JCudaDriver.cuEventCreate(end, 0), "cuEventCreate");
  }

  /** Median time in microseconds of {@code repetitions} runs, after one that does not count. */
  float median(Command command, int repetitions) {
    float[] times = new float[repetitions];
    command.issue();
    for (int i = 0; i < repetitions; i++) {
      times[i] = once(command);
    }
    Arrays.sort(times);
    return times[repetitions / 2];
  }

  /** Time in microseconds of one run. */
  float once(Command command) {
    check(JCudaDriver.cuEventRecord(begin, device.stream()), "cuEventRecord");
    command.issue();
    check(JCudaDriver.cuEventRecord(end, device.stream()), "cuEventRecord");
    check(JCudaDriver.cuEventSynchronize(end), command + " (timed)");
    float[] millis = new float[1];
    check(JCudaDriver.cuEventElapsedTime(millis, begin, end), "cuEventElapsedTime");
    return millis[0] * 1000;
  }

  @Override
  public void close() {
    check(JCudaDriver.cuEventDestroy(begin), "cuEventDestroy");
    check(JCudaDriver.cuEventDestroy(end), "cuEventDestroy");
  }
}
