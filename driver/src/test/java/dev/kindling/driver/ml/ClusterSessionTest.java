package dev.kindling.driver.ml;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.driver.launch.DriverProcess;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@link SessionProgram} as a process, with two executor JVMs. */
@Tag("long")
class ClusterSessionTest {
  private static final long LIMIT_SECONDS = 180;

  @TempDir private Path folder;

  @Test
  void executorsOfAProgramTrainTwiceAndPutTheModelsToWork() throws Exception {
    try (DriverProcess program =
        DriverProcess.start(folder, List.of(SessionProgram.class.getName(), folder.toString()))) {
      assertThat(program.await(LIMIT_SECONDS)).as(program.text()).isZero();
      assertThat(program.text()).contains("first 60", "between 50", "one 60", "two 60");
      for (String run : List.of("one", "two")) {
        assertThat(folder.resolve("runs").resolve(run).resolve("metrics.jsonl")).isNotEmptyFile();
      }
    }
  }
}
