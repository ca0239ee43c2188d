package dev.kindling.driver.launch;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.worker.plan.Device;
import java.util.List;
import org.junit.jupiter.api.Test;

class WorkerJvmTest {
  @Test
  void childrenTakeOurModulesAndLimitsAndTheOnesThatWeLack() {
    List<String> own =
        List.of(
            "--add-modules=jdk.incubator.vector",
            "-Xmx3g",
            "-Dorg.bytedeco.javacpp.maxBytes=7g",
            "-Dfile.encoding=UTF-8",
            "-javaagent:/x.jar",
            "-XX:MaxDirectMemorySize=9g",
            "-Dlog4j2.configurationFile=/l");
    assertThat(WorkerJvm.children(own, Device.CPU))
        .containsExactly(
            "--add-modules=jdk.incubator.vector",
            "-Xmx3g",
            "-Dorg.bytedeco.javacpp.maxBytes=7g",
            "-XX:MaxDirectMemorySize=9g",
            "-Dlog4j2.configurationFile=/l",
            "-Dorg.bytedeco.javacpp.maxPhysicalBytes=0");
    assertThat(WorkerJvm.children(List.of(), Device.CUDA))
        .containsExactly(
            "-XX:MaxDirectMemorySize=1t",
            "-Dorg.bytedeco.javacpp.maxBytes=0",
            "-Dorg.bytedeco.javacpp.maxPhysicalBytes=0",
            "-Dorg.bytedeco.javacpp.noPointerGC=true",
            "-XX:+UseZGC");
    assertThat(WorkerJvm.children(List.of("-XX:+UseParallelGC"), Device.CUDA))
        .contains("-XX:+UseParallelGC")
        .doesNotContain("-XX:+UseZGC");
  }
}
