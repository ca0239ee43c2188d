package dev.kindling.driver.launch;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.worker.plan.Device;
import java.util.List;
import java.util.Map;
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
    assertThat(WorkerJvm.children(own, Device.CPU, Map.of()))
        .containsExactly(
            "--add-modules=jdk.incubator.vector",
            "-Xmx3g",
            "-Dorg.bytedeco.javacpp.maxBytes=7g",
            "-XX:MaxDirectMemorySize=9g",
            "-Dlog4j2.configurationFile=/l",
            "-Dorg.bytedeco.javacpp.maxPhysicalBytes=0",
            "-Dkindling.console=info");
    assertThat(WorkerJvm.children(List.of(), Device.CUDA, Map.of()))
        .containsExactly(
            "-XX:MaxDirectMemorySize=1t",
            "-Dorg.bytedeco.javacpp.maxBytes=0",
            "-Dorg.bytedeco.javacpp.maxPhysicalBytes=0",
            "-Dorg.bytedeco.javacpp.noPointerGC=true",
            "-Dkindling.console=info",
            "-XX:+UseZGC");
    assertThat(WorkerJvm.children(List.of("-XX:+UseParallelGC"), Device.CUDA, Map.of()))
        .contains("-XX:+UseParallelGC")
        .doesNotContain("-XX:+UseZGC");
  }

  @Test
  void aCollectorOfTheEnvironmentStays() {
    for (String variable : List.of("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS")) {
      assertThat(
              WorkerJvm.children(
                  List.of(), Device.CUDA, Map.of(variable, "-Xmx2g  -XX:+UseParallelGC")))
          .as(variable)
          .doesNotContain("-XX:+UseZGC");
    }
    assertThat(
            WorkerJvm.children(List.of(), Device.CUDA, Map.of("JAVA_TOOL_OPTIONS", "-XX:-UseZGC")))
        .contains("-XX:+UseZGC");
  }
}
