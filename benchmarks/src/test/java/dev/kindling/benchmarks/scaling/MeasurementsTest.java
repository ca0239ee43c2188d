package dev.kindling.benchmarks.scaling;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.configs.yaml.ByteSize;
import dev.kindling.configs.yaml.ConfigException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MeasurementsTest {
  @TempDir Path folder;

  /** Tests run in the module's folder or in the root. */
  private static Path shipped() {
    Path own = Path.of("scaling/measured.yaml");
    return Files.exists(own) ? own : Path.of("benchmarks").resolve(own);
  }

  @Test
  void everyMeasuredCallIsMetWithinTenPercent() {
    Measurements measured = Measurements.read(shipped(), List.of());
    assertThat(measured.allReduces()).hasSizeGreaterThan(10);
    for (AllReducePoint point : measured.allReduces()) {
      assertThat(Math.abs(point.error(measured.fitted(point.network()))))
          .as(point.toString())
          .isLessThan(0.1);
    }
  }

  @Test
  void everyMeasuredStepIsMetWithinTenPercent() {
    Measurements measured = Measurements.read(shipped(), List.of());
    assertThat(measured.runs()).isNotEmpty();
    for (MeasuredRun run : measured.runs()) {
      double ms = run.predictedMs(measured.worker(), measured.fittedCluster(), Samples.SEED);
      assertThat(ms).as(run.name()).isBetween(0.9 * run.ms(), 1.1 * run.ms());
    }
  }

  @Test
  void aNewPointBetweenHostsReplacesTheAssumption() throws IOException {
    String text = Files.readString(shipped());
    String point =
        "- {network: tcp-between-hosts, ranks: 4, gbit: 10, bytes: 1GiB, ms: 2000, source: here}";
    Path file = folder.resolve("more.yaml");
    Files.writeString(file, text.replace("\nall_reduces:\n", "\nall_reduces:\n  " + point + "\n"));
    Link before = Measurements.read(shipped(), List.of()).fittedCluster().between();
    Link after = Measurements.read(file, List.of()).fittedCluster().between();
    assertThat(before.share()).isEqualTo(0.9);
    // 1.5 GiB in 2 s at 1.25 GB/s.
    assertThat(after.share()).isBetween(0.644, 0.645);
  }

  @Test
  void whatIsLeftOutHasItsDefault() throws IOException {
    Path file = folder.resolve("small.yaml");
    Files.writeString(
        file,
        """
        worker: {name: w, parameters: 10, tokens: 2, step_ms: 3, backward: 0.5}
        cluster:
          workers_per_host: 1
          inside: {network: a, gbit: 1, latency_us: 0, share: 1}
          between: {network: b, gbit: 1, latency_us: 0, share: 1}
        methods:
          a: {type: every_step}
          b: {type: blocking, tau: 4}
          c: {type: in_flight, tau: 4}
          d: {type: streaming, tau: 4, fragments: 2, delay: 1}
        """);
    Measurements measured = Measurements.read(file, List.of());
    assertThat(measured.worker()).isEqualTo(new Worker("w", 10, 2, 3, 0.5, 0, 0, 1, 0, 0));
    assertThat(measured.methods().values())
        .containsExactly(
            new EveryStep(2, new ByteSize(128 << 20)),
            new Blocking(4, 4),
            new InFlight(4, 4),
            new Streaming(4, 2, 1, 4));
    assertThat(measured.allReduces()).isEmpty();
    assertThat(measured.runs()).isEmpty();
  }

  @Test
  void assignmentsLieOverTheFile() {
    List<String> assignments = List.of("worker.jitter=0.25", "methods.diloco.tau=50");
    Measurements measured = Measurements.read(shipped(), assignments);
    assertThat(measured.worker().jitter()).isEqualTo(0.25);
    assertThat(measured.methods().get("diloco")).isEqualTo(new Blocking(50, 4));
  }

  @Test
  void aMistakeIsNamedWithItsLine() throws IOException {
    Path file = folder.resolve("wrong.yaml");
    Files.writeString(
        file, Files.readString(shipped()).replace("  step_ms: 58.38", "  step_msec: 58.38"));
    assertThatThrownBy(() -> Measurements.read(file, List.of()))
        .isInstanceOf(ConfigException.class)
        .hasMessageContaining("worker.step_msec: unknown key")
        .hasMessageContaining("step_ms");
  }
}
