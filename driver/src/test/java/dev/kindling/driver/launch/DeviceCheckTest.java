package dev.kindling.driver.launch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.driver.doctor.DeviceFacts;
import dev.kindling.worker.launch.AttemptFailedException;
import dev.kindling.worker.launch.FailureKind;
import dev.kindling.worker.plan.PlanReader;
import dev.kindling.worker.plan.TrainPlan;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DeviceCheckTest {
  private static final DeviceFacts ONE_GPU =
      new DeviceFacts(
          "13.0",
          "",
          List.of(new DeviceFacts.Gpu(0, 90, 80L << 30, -1, "NVIDIA H100")),
          Map.of(),
          Map.of(),
          List.of(),
          true);

  private final AtomicInteger probes = new AtomicInteger();
  private final DeviceCheck check =
      new DeviceCheck(
          () -> {
            probes.incrementAndGet();
            return ONE_GPU;
          });

  private static TrainPlan plan(String launcher, String device, int ranks) {
    return PlanReader.fromYaml(
        """
        model: {type: llama, width: 32, layers: 2, heads: 2}
        data: {type: text, paths: [corpus]}
        optimizer: {type: adamw, lr: 1e-3}
        steps: 100
        sequence_length: 64
        micro_batch: 128
        global_batch: 256
        launcher: %s
        device: %s
        ranks: %d
        """
            .formatted(launcher, device, ranks));
  }

  @ParameterizedTest
  @ValueSource(strings = {"spark", "processes"})
  void moreRanksThanGpusOfThisMachineEndTheRunBeforeItsFirstAttempt(String launcher)
      throws InterruptedException {
    assertThatThrownBy(() -> check.require(plan(launcher, "cuda", 2), true))
        .isInstanceOfSatisfying(
            AttemptFailedException.class, e -> assertThat(e.kind()).isEqualTo(FailureKind.DEVICE))
        .hasMessageStartingWith("ranks: needs 2 GPUs, this machine shows 1; at most ranks: 1 fits")
        .hasMessageEndingWith("kindling doctor --device cuda");
    check.require(plan(launcher, "cuda", 1), true);
    assertThat(probes).hasValue(2);
  }

  /** Several ranks of threads are refused with the configuration already. */
  @Test
  void aRankThatIsAThreadNeedsAGpuOfThisMachineToo() throws InterruptedException {
    check.require(plan("threads", "cuda", 1), true);
    assertThat(probes).hasValue(1);
    DeviceFacts none = new DeviceFacts("13.0", "", List.of(), Map.of(), Map.of(), List.of(), true);
    DeviceCheck without = new DeviceCheck(() -> none);
    assertThatThrownBy(() -> without.require(plan("threads", "cuda", 1), true))
        .hasMessageStartingWith("ranks: needs 1 GPUs, this machine shows 0");
  }

  @Test
  void ranksElsewhereOrOnTheCpuAreNoBusinessOfThisMachinesGpus() throws InterruptedException {
    check.require(plan("spark", "cuda", 2), false);
    check.require(plan("threads", "cpu", 2), true);
    assertThat(probes).hasValue(0);
  }
}
