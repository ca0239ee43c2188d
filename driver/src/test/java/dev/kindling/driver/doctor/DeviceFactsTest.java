package dev.kindling.driver.doctor;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class DeviceFactsTest {
  private static final String END = "ended the process with exit code 139";

  private static DeviceFacts parse(String text) {
    return DeviceFacts.parse(text.replace(' ', '\t').replace('_', ' ').lines().toList(), END);
  }

  @Test
  void everyFactIsRead() {
    DeviceFacts facts =
        parse(
            """
            kernels fatbin
            trying libcuda.so.1
            driver 13.0
            gpu 0 90 85899345920 -1 NVIDIA_H100_80GB
            gpu 1 90 85899345920 1073741824 NVIDIA_H100_80GB
            apart 0 1
            a_line_of_a_library
            trying cudart
            library cudart 13.0.0
            trying nccl
            missing nccl libnccl.so.2:_cannot_open_shared_object_file
            end
            """);
    assertThat(facts)
        .isEqualTo(
            new DeviceFacts(
                "13.0",
                "",
                List.of(
                    new DeviceFacts.Gpu(0, 90, 80L << 30, -1, "NVIDIA H100 80GB"),
                    new DeviceFacts.Gpu(1, 90, 80L << 30, 1L << 30, "NVIDIA H100 80GB")),
                Map.of("cudart", "13.0.0"),
                Map.of("nccl", "libnccl.so.2: cannot open shared object file"),
                List.of("0 and 1"),
                true));
    assertThat(facts.gpus().get(0))
        .hasToString("0: NVIDIA H100 80GB, compute capability 9.0, 80.0 GiB");
  }

  @Test
  void aProcessThatEndsInALibraryNamesIt() {
    DeviceFacts facts =
        parse(
            """
            kernels sources
            trying libcuda.so.1
            driver 13.0
            gpu 0 90 1 1 G
            trying cublasLt
            """);
    assertThat(facts.refusal()).isEmpty();
    assertThat(facts.missing()).containsExactly(Map.entry("cublasLt", "loading it " + END));
    assertThat(facts.refusal(1)).contains("cuBLASLt", END, "LD_LIBRARY_PATH");
  }

  @Test
  void aProcessThatEndsInTheDriverLeavesNoneToUse() {
    assertThat(parse("kernels fatbin\ntrying libcuda.so.1").refusal())
        .isEqualTo("cuda: loading libcuda.so.1 " + END);
    assertThat(parse("").refusal(1)).contains("the Java virtual machine", END);
  }

  @Test
  void ranksThatDoNotFitAreToldWhatWould() {
    DeviceFacts two = FakeMachine.good(2);
    assertThat(two.refusal(2)).isEmpty();
    assertThat(two.refusal(3))
        .isEqualTo(
            "ranks: needs 3 GPUs, this machine shows 2; at most ranks: 2 fits (--set ranks=2)");
    assertThat(DeviceFacts.none("cuda: no driver").refusal(1)).isEqualTo("cuda: no driver");
    assertThat(FakeMachine.without(two, "nvrtc", true).refusal(1)).isEmpty();
    assertThat(FakeMachine.without(two, "nvrtc", false).refusal(1))
        .contains("kernel sources only", "libnvrtc.so");
  }

  @Test
  void severalRanksNeedNccl() {
    DeviceFacts without = FakeMachine.without(FakeMachine.good(2), "nccl", true);
    assertThat(without.refusal(1)).isEmpty();
    assertThat(without.refusal(2))
        .startsWith("cuda: ranks: 2 needs NCCL, which cannot be loaded (libnccl.so: cannot open")
        .contains("LD_LIBRARY_PATH");
  }
}
