package dev.kindling.driver.doctor;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class DeviceProbeTest {
  private static DeviceFacts shell(String script) throws InterruptedException {
    return DeviceProbe.run(List.of("sh", "-c", script));
  }

  @Test
  void aCrashOfTheProbeIsAFindingAndNotOurs() throws InterruptedException {
    DeviceFacts facts =
        shell("printf 'kernels\\tfatbin\\ntrying\\tlibcuda.so.1\\n'; kill -SEGV $$");
    assertThat(facts.refusal())
        .startsWith("cuda: loading libcuda.so.1 ended the process with exit code 1");
  }

  @Test
  void itsFactsAreRead() throws InterruptedException {
    DeviceFacts facts =
        shell(
            "printf 'driver\\t13.0\\ngpu\\t0\\t90\\t8\\t8\\tName of it\\nend\\n'; echo noise >&2");
    assertThat(facts.refusal()).isEmpty();
    assertThat(facts.gpus()).extracting(DeviceFacts.Gpu::name).containsExactly("Name of it");
  }

  @Test
  void aProbeThatCannotBeStartedIsToldToo() throws InterruptedException {
    assertThat(DeviceProbe.run(List.of("/nonexistent/java")).refusal())
        .contains("the probe could not be started");
  }

  @Test
  void theRealProbeRunsToItsEndOnThisMachineWhateverItHas() throws InterruptedException {
    DeviceFacts facts = DeviceProbe.run();
    assertThat(facts.refusal()).doesNotContain("ended the process", "ClassNotFound");
    assertThat(facts.libraries().size() + facts.missing().size()).isEqualTo(4);
    if (facts.gpus().isEmpty()) {
      assertThat(facts.refusal()).startsWith("cuda: ").contains("expected");
    }
  }
}
