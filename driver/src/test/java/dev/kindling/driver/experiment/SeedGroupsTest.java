package dev.kindling.driver.experiment;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.worker.event.report.MetricsLog;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SeedGroupsTest {
  @TempDir Path folder;

  private ResultTable.Row row(String name, Map<String, String> own, double... losses)
      throws IOException {
    StringBuilder lines = new StringBuilder();
    for (int i = 0; i < losses.length; i++) {
      lines.append("{\"step\":").append(10 * (i + 1)).append(",\"loss\":9.0,\"val_loss\":");
      lines.append(losses[i]).append(",\"attempt\":1}\n");
    }
    Path file = folder.resolve(name + ".jsonl");
    Files.writeString(file, lines);
    PlannedRun run = new PlannedRun(name, own, List.of());
    return new ResultTable.Row(run, "done", MetricsLog.read(file));
  }

  @Test
  void runsThatDifferInTheirSeedAloneAreOneLine() throws IOException {
    SeedGroups groups =
        new SeedGroups(
            List.of(
                row("a", Map.of("lr", "1"), 4.0, 2.0),
                row("other", Map.of("lr", "2"), 4.0, 1.0),
                row("a2", Map.of("lr", "1", "seed", "2"), 5.0, 3.0),
                row("a3", Map.of("lr", "1", "seed", "3"), 6.0, 4.0),
                row("b", Map.of("lr", "3"), 4.0),
                row("b2", Map.of("lr", "3", "seed", "2"))));
    assertThat(groups.markdown())
        .endsWith(
            "| a | 3 | 3 | 3.0000 | 1.0000 | 2.0000 | 4.0000 |\n"
                + "| b | 2 | 1 | 4.0000 |  | 4.0000 | 4.0000 |\n")
        .doesNotContain("other");
  }

  @Test
  void thePictureHasABandFromTheSmallestToTheLargest() throws IOException {
    SeedGroups groups =
        new SeedGroups(
            List.of(
                row("a", Map.of(), 4.0, 2.0),
                row("a2", Map.of("seed", "2"), 6.0, 4.0, 9.0),
                row("same", Map.of("lr", "1"), 3.0, 3.0),
                row("same2", Map.of("lr", "1", "seed", "2"), 3.0, 3.0)));
    String picture = groups.picture();
    assertThat(picture).containsOnlyOnce("<polygon").contains(">a</text>", ">same</text>");
    assertThat(picture.split("<polyline", -1)).hasSize(3);
    List<double[]> mean = points(picture, "<polyline");
    assertThat(mean).as("steps of all runs").hasSize(2);
    assertThat(mean.get(0)[0]).isLessThan(mean.get(1)[0]);
    assertThat(mean.get(0)[1]).as("a larger loss stands higher").isLessThan(mean.get(1)[1]);
    List<double[]> band = points(picture, "<polygon");
    assertThat(band.get(0)[1]).isLessThan(mean.get(0)[1]);
    assertThat(band.get(3)[1]).isGreaterThan(mean.get(0)[1]);
  }

  /** Coordinates of the first such element. */
  private static List<double[]> points(String picture, String element) {
    String from = picture.substring(picture.indexOf(element));
    int begin = from.indexOf("points=\"") + 8;
    List<double[]> points = new ArrayList<>();
    for (String point : List.of(from.substring(begin, from.indexOf('"', begin)).split(" ", -1))) {
      int comma = point.indexOf(',');
      points.add(
          new double[] {
            Double.parseDouble(point.substring(0, comma)),
            Double.parseDouble(point.substring(comma + 1))
          });
    }
    return points;
  }

  @Test
  void withoutSeedsThereIsNothingToSay() throws IOException {
    assertThat(new SeedGroups(List.of(row("a", Map.of(), 1.0), row("b", Map.of("lr", "1"), 1.0))))
        .matches(SeedGroups::isEmpty);
  }
}
