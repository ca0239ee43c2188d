package dev.kindling.driver.launch;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * The embedded launcher as real processes: a driver JVM and one executor JVM per rank in a process
 * group of their own, which gets the signals.
 */
@Tag("long")
class ProcessSignalsTest {
  private static final int RANKS = 2;

  /** Far above what is promised (30 s): test machines are shared. */
  private static final long END_SECONDS = 180;

  private static final long START_SECONDS = 120;

  @TempDir Path folder;
  private DriverProcess driver;

  @BeforeEach
  void start() throws IOException {
    List<String> words =
        List.of(
            LaunchProbe.class.getName(),
            folder.toString(),
            String.valueOf(RANKS),
            DriverProcess.ownClasses(),
            "60");
    driver = DriverProcess.start(folder, words);
  }

  @AfterEach
  void nothingIsLeft() {
    driver.close();
  }

  /** Process id of the rank, from its first words in this attempt. */
  private long pidOf(int rank, int attempt) throws IOException, InterruptedException {
    Pattern words =
        Pattern.compile("attempt " + attempt + "\\R[\\s\\S]*rank " + rank + " pid (\\d+)");
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(START_SECONDS);
    while (System.nanoTime() < deadline && driver.isAlive()) {
      Matcher matcher = words.matcher(driver.text());
      if (matcher.find()) {
        return Long.parseLong(matcher.group(1));
      }
      TimeUnit.MILLISECONDS.sleep(100);
    }
    throw new AssertionError("rank " + rank + " never started:\n" + driver.text());
  }

  @ParameterizedTest
  @CsvSource({"INT, 130", "TERM, 143"})
  void aSignalToTheWholeGroupLetsEveryRankSave(String signal, int code) throws Exception {
    pidOf(0, 1);
    pidOf(1, 1);
    driver.signalGroup(signal);
    assertThat(driver.await(END_SECONDS)).as(driver.text()).isEqualTo(code);
    for (int rank = 0; rank < RANKS; rank++) {
      assertThat(Files.readString(folder.resolve("saved-" + rank))).matches("\\d+");
    }
  }

  @Test
  void aKilledExecutorIsTheReasonAndTheNextAttemptRuns() throws Exception {
    pidOf(0, 1);
    long pid = pidOf(1, 1);
    ProcessHandle.of(pid).orElseThrow().destroyForcibly();
    assertThat(pidOf(1, 2)).isNotEqualTo(pid);
    pidOf(0, 2);
    assertThat(driver.text())
        .contains("failed COMMUNICATION rank 1: its worker died")
        .contains("pid " + pid)
        .contains("| rank 1 counts")
        .doesNotContain("| Spark Executor Command");
    driver.signalGroup("INT");
    assertThat(driver.await(END_SECONDS)).isEqualTo(130);
  }
}
