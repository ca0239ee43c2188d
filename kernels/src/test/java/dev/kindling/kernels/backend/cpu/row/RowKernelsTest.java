package dev.kindling.kernels.backend.cpu.row;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RowKernelsTest {
  @TempDir Path folder;

  @Test
  void vectorAndPlainJavaAgreeBitForBit() {
    assertThat(KernelCases.report(RowKernels.vector()).lines().toList())
        .as("seed %d", KernelCases.SEED)
        .isEqualTo(KernelCases.report(RowKernels.scalar()).lines().toList());
  }

  @ParameterizedTest
  @ValueSource(strings = {"-XX:UseAVX=0", "-XX:UseAVX=2", "-Xint", "-XX:TieredStopAtLevel=1"})
  void otherVectorWidthsAndCompilersGiveTheSameBits(String flag) throws Exception {
    Run run = fork(List.of(flag, "--add-modules=jdk.incubator.vector"));
    assertThat(run.errors()).contains("flavour vector");
    assertThat(run.output()).isEqualTo(KernelCases.report(RowKernels.scalar()));
  }

  @Test
  void withoutTheModulePlainJavaTakesOver() throws Exception {
    Run run = fork(List.of("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"));
    assertThat(run.errors()).contains("flavour scalar");
    assertThat(run.output()).isEqualTo(KernelCases.report(RowKernels.scalar()));
  }

  private record Run(String output, String errors) {}

  private Run fork(List<String> flags) throws IOException, InterruptedException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(flags);
    command.addAll(List.of("-Xmx256m", "-Dseed=" + KernelCases.SEED, "-cp"));
    command.add(System.getProperty("java.class.path"));
    command.add(KernelCases.class.getName());
    Path output = folder.resolve("out");
    Path errors = folder.resolve("err");
    Process process =
        new ProcessBuilder(command)
            .redirectOutput(output.toFile())
            .redirectError(errors.toFile())
            .start();
    try {
      assertThat(process.waitFor(120, TimeUnit.SECONDS)).as("%s ended", command).isTrue();
    } finally {
      process.destroyForcibly();
    }
    Run run =
        new Run(
            Files.readString(output, StandardCharsets.UTF_8),
            Files.readString(errors, StandardCharsets.UTF_8));
    assertThat(process.exitValue()).as(run.errors()).isZero();
    return run;
  }
}
