package dev.kindling.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class KernelSpeedTest {
  @TempDir Path folder;

  @ParameterizedTest
  @CsvSource({"Copy,GB/s", "AllGather,GB/s", "LinearInputGradient OUT_IN,GFLOP/s"})
  void linesOfTheCaseTableAreTimed(String only, String unit) throws Exception {
    Results results = new Results();
    new KernelSpeed().run(results, List.of("--only", only, "--blocks", "2", "--matmul", "java"));
    Path file = folder.resolve("results.json");
    results.write(file);
    String json = Files.readString(file, StandardCharsets.UTF_8);
    assertThat(json)
        .contains("\"name\": \"kernel." + only.replace(' ', '_'))
        .contains("\"unit\": \"us\"")
        .contains("\"unit\": \"" + unit + "\"");
  }

  @Test
  void anUnknownLineIsRefused() {
    assertThatThrownBy(() -> new KernelSpeed().run(new Results(), List.of("--only", "Lineer")))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("Lineer");
  }
}
