package dev.kindling.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SyncScalingBenchTest {
  @TempDir Path folder;

  private static String shipped() {
    Path own = Path.of("scaling/measured.yaml");
    return (Files.exists(own) ? own : Path.of("benchmarks").resolve(own)).toString();
  }

  @Test
  void resultsTableAndPicturesAreWritten() throws Exception {
    Results results = new Results();
    Path out = folder.resolve("out");
    List<String> arguments =
        List.of(
            "--file",
            shipped(),
            "--workers",
            "8,16",
            "--gbit",
            "10,100",
            "--steps",
            "20",
            "--out",
            out.toString());
    new SyncScalingBench().run(results, arguments);
    Path json = folder.resolve("results.json");
    results.write(json);
    assertThat(Files.readString(json))
        .contains("sync_scaling.points.error.max")
        .contains("sync_scaling.co2_corrected.16workers.10gbit.efficiency")
        .contains("\"sync_scaling.co2_table.published.ratio\", \"value\": 13.36")
        .contains("\"sync_scaling.co2_table.ring.4bytes.ratio\", \"value\": 11.13");
    assertThat(out.resolve("scaling.md")).content().contains("| 16 | 100 | diloco |");
    assertThat(out.resolve("over-workers.svg")).content().contains("co2_corrected");
    assertThat(out.resolve("over-links.svg")).content().contains("co2_corrected");
  }

  @Test
  void whatIsNoNumberOrNoFileIsRefused() {
    assertThatThrownBy(() -> run("--workers", "8,many"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("--workers: expected integers with commas between, found 8,many");
    assertThatThrownBy(
            () ->
                new SyncScalingBench()
                    .run(new Results(), List.of("--file", folder.resolve("none").toString())))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("no such file");
    assertThatThrownBy(() -> run("--workers", "12")).hasMessageContaining("whole hosts");
    assertThatThrownBy(() -> run("--set", "worker.jiter=1;worker.jitter=2"))
        .hasMessageContaining("worker.jiter: unknown key")
        .hasMessageContaining("jitter: expected a number in [0, 1), found 2.0");
  }

  private static void run(String... arguments) throws Exception {
    List<String> all = new java.util.ArrayList<>(List.of("--file", shipped()));
    all.addAll(List.of(arguments));
    new SyncScalingBench().run(new Results(), all);
  }
}
