package dev.kindling.driver.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LogsCommandTest {
  @TempDir private Path run;

  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  @BeforeEach
  void logs() throws IOException {
    Files.createDirectory(run.resolve("logs"));
    write("rank-0.old.log", 1, "first");
    write("rank-0.log", 3, "third");
    write("rank-1.log", 2, "second");
    write("rank-10.log", 4, "fourth");
  }

  private void write(String file, int second, String words) throws IOException {
    Files.writeString(
        run.resolve("logs").resolve(file),
        "2026-11-27T12:00:0%d.000Z attempt 1 INFO %s\n".formatted(second, words),
        StandardOpenOption.CREATE,
        StandardOpenOption.APPEND);
  }

  private int kindling(String... words) {
    return Kindling.execute(
        new RecordingBodies(), new PrintWriter(out), new PrintWriter(err), words);
  }

  @Test
  void allRanksAreShownInTheOrderOfTime() {
    assertThat(kindling("logs", run.toString())).isZero();
    assertThat(out.toString().lines())
        .containsExactly(
            "rank 0 2026-11-27T12:00:01.000Z attempt 1 INFO first",
            "rank 1 2026-11-27T12:00:02.000Z attempt 1 INFO second",
            "rank 0 2026-11-27T12:00:03.000Z attempt 1 INFO third",
            "rank 10 2026-11-27T12:00:04.000Z attempt 1 INFO fourth");
  }

  @Test
  void oneRankAndItsLastLines() {
    assertThat(kindling("logs", run.toString(), "--rank", "0", "--lines", "1")).isZero();
    assertThat(out.toString()).isEqualTo("2026-11-27T12:00:03.000Z attempt 1 INFO third\n");
  }

  @Test
  void aRunWithoutLogsIsAMistakeOfTheCommandLine() {
    assertThat(kindling("logs", run.resolve("logs").toString())).isEqualTo(2);
    assertThat(err.toString()).contains("holds no logs/rank-N.log");
    assertThat(kindling("logs", run.toString(), "--rank", "7")).isEqualTo(2);
    assertThat(err.toString()).contains("holds no logs/rank-7.log");
  }

  @Test
  void whatComesIsReadOnceAlsoWhereAFileGrewOld() throws IOException {
    RunLogs logs = RunLogs.of(run.toString(), Optional.of(0));
    assertThat(logs.last(10)).hasSize(2);
    assertThat(logs.more()).isEmpty();
    Path file = run.resolve("logs/rank-0.log");
    Files.writeString(file, "2026-11-27T12:00:05.000Z atte", StandardOpenOption.APPEND);
    assertThat(logs.more()).as("half a line").isEmpty();
    Files.writeString(file, "mpt 1 fifth\n", StandardOpenOption.APPEND);
    assertThat(logs.more()).containsExactly("2026-11-27T12:00:05.000Z attempt 1 fifth");
    write("rank-0.log", 6, "sixth");
    Files.delete(run.resolve("logs/rank-0.old.log"));
    Files.move(file, run.resolve("logs/rank-0.old.log"));
    Files.writeString(file, "earlier lines: rank-0.old.log\n");
    write("rank-0.log", 7, "seventh");
    assertThat(logs.more())
        .containsExactly(
            "2026-11-27T12:00:06.000Z attempt 1 INFO sixth",
            "2026-11-27T12:00:07.000Z attempt 1 INFO seventh");
  }
}
