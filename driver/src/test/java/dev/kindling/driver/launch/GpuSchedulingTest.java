package dev.kindling.driver.launch;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Real executors of a real embedded master; only the GPUs are made up. */
class GpuSchedulingTest {
  private static final long SECONDS = 180;

  @TempDir private Path folder;

  @Test
  void everyRankGetsAGpuOfItsOwnAndOtherStagesNeedNone() throws Exception {
    List<String> words = List.of(GpuProbe.class.getName(), "2", DriverProcess.ownClasses());
    try (DriverProcess driver = DriverProcess.start(folder, words)) {
      assertThat(driver.await(SECONDS)).as(driver.text()).isZero();
      List<String> lines = driver.text().lines().toList();
      assertThat(lines).contains("ordinary stage 4");
      List<String> models = lines.stream().filter(line -> line.startsWith("model of")).toList();
      assertThat(models).hasSize(4).allMatch(line -> line.matches("model of a task: AUTO [01]"));
      List<String> ranks = lines.stream().filter(line -> line.startsWith("rank ")).toList();
      assertThat(ranks).hasSize(2).allMatch(line -> line.endsWith("noPointerGC true, bindings 4"));
      assertThat(ranks.stream().map(line -> line.replaceFirst(".*gpu (\\d),.*", "$1")))
          .containsExactlyInAnyOrder("0", "1");
    }
  }
}
