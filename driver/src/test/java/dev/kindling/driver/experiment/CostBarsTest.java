package dev.kindling.driver.experiment;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.worker.event.report.MetricsLog;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CostBarsTest {
  @TempDir Path folder;

  private ResultTable.Row row(String name, String... lines) throws IOException {
    Path file = folder.resolve(name.replace('<', '_') + ".jsonl");
    Files.write(file, List.of(lines));
    PlannedRun run = new PlannedRun(name, Map.of(), List.of());
    return new ResultTable.Row(run, "done", MetricsLog.read(file));
  }

  private static List<Double> widths(String picture) {
    List<Double> widths = new ArrayList<>();
    for (MatchResult bar :
        Pattern.compile("width=\"([0-9.]+)\" height=\"16\"").matcher(picture).results().toList()) {
      widths.add(Double.valueOf(bar.group(1)));
    }
    return widths;
  }

  @Test
  void aBarIsAsLongAsItsShareOfItsColumnAndARunWithoutAValueHasNone() throws IOException {
    String picture =
        CostBars.draw(
            List.of(
                row(
                    "full",
                    "{\"step\":1,\"loss\":9.0,\"step_ms\":500.0,\"attempt\":1}",
                    "{\"step\":2,\"loss\":5.0,\"val_loss\":4.0,\"step_ms\":500.0,\"attempt\":1}"),
                row(
                    "a<b",
                    "{\"step\":2,\"loss\":5.0,\"val_loss\":2.0,\"step_ms\":250.0,"
                        + "\"device_bytes_peak\":5242880,\"attempt\":1}"),
                row("begun")));
    assertThat(picture)
        .contains(">full</text>", ">a&lt;b</text>", ">begun</text>", ">4.000</text>", ">0.5</text>")
        .contains("peak memory, MiB", ">5</text>")
        .doesNotContain("accuracy");
    List<Double> widths = widths(picture);
    assertThat(widths).hasSize(5);
    assertThat(widths.get(1)).isEqualTo(widths.get(0) / 2);
    assertThat(widths.get(4)).isEqualTo(widths.get(3) / 2);
  }
}
