package dev.kindling.driver.launch;

import dev.kindling.driver.doctor.DeviceFacts;
import dev.kindling.driver.doctor.DeviceProbe;
import dev.kindling.worker.launch.AttemptFailedException;
import dev.kindling.worker.launch.FailureKind;
import dev.kindling.worker.plan.Device;
import dev.kindling.worker.plan.LauncherKind;
import dev.kindling.worker.plan.TrainPlan;

/**
 * Says before the first attempt what no attempt can mend: where all ranks will run on this machine,
 * its GPUs, driver and libraries are looked at once, and too few of them end the run with exit code
 * 5. On a cluster each rank finds out for itself, within the retry budget: another attempt may get
 * other executors.
 */
final class DeviceCheck {
  /** Looks at this machine; a second or two. */
  @FunctionalInterface
  interface Probe {
    DeviceFacts run() throws InterruptedException;
  }

  private final Probe probe;

  DeviceCheck() {
    this(DeviceProbe::run);
  }

  DeviceCheck(Probe probe) {
    this.probe = probe;
  }

  /**
   * @param embedded whether Spark's executors, if there are any, run on this machine
   * @throws AttemptFailedException of kind DEVICE if the ranks of this plan cannot run here
   */
  void require(TrainPlan plan, boolean embedded) throws InterruptedException {
    boolean here = plan.launcher() != LauncherKind.SPARK || embedded;
    if (plan.device() != Device.CUDA || !here) {
      return;
    }
    String refusal = probe.run().refusal(plan.ranks());
    if (!refusal.isEmpty()) {
      throw new AttemptFailedException(
          FailureKind.DEVICE, -1, refusal + "; more: kindling doctor --device cuda", null);
    }
  }
}
