package dev.kindling.kernels.fault;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class FailpointTest {
  @TempDir Path folder;

  private void arm(String... lines) throws IOException {
    Files.write(folder.resolve("plan"), List.of(lines));
    Failpoint.arm(folder);
  }

  @AfterEach
  void disarm() {
    Failpoint.arm(null);
  }

  @Test
  void nothingHappensWithoutAPlan() {
    for (Failpoint point : Failpoint.values()) {
      point.before();
      point.after();
    }
    assertThat(folder).isEmptyDirectory();
  }

  @Test
  void aLineActsAtItsTimeAndOnceForAllWhoShareTheFolder() throws IOException {
    arm("batch.read.after:2:throw", "step.submit.before:1:throw");
    Failpoint.STEP_SUBMIT.before();
    Failpoint.BATCH_READ.after();
    Failpoint.BATCH_READ.before();
    assertThatThrownBy(Failpoint.BATCH_READ::after).isInstanceOf(FaultException.class);
    Failpoint.BATCH_READ.after();
    Failpoint.arm(folder);
    Failpoint.BATCH_READ.after();
    Failpoint.BATCH_READ.after();
    assertThatThrownBy(Failpoint.STEP_SUBMIT::before)
        .isInstanceOf(FaultException.class)
        .hasMessageContaining("step.submit.before");
    Failpoint.STEP_SUBMIT.before();
    assertThat(folder.resolve("fired-1")).hasContent("driver");
    assertThat(folder.resolve("fired-2")).exists();
    assertThat(folder.resolve("fired-3")).doesNotExist();
  }

  @Test
  void whatIsMetIsRecorded() throws IOException {
    arm();
    Failpoint.PART_READ_BACK.before();
    Failpoint.COMMIT_LINK.after();
    assertThat(folder.resolve("met"))
        .hasContent("driver part.read.back.before\ndriver commit.link.after");
  }

  @Test
  void aLineForAnotherProcessWaits() throws IOException {
    arm("batch.read.before@rank1:1:throw");
    Failpoint.BATCH_READ.before();
    assertThat(folder.resolve("fired-1")).doesNotExist();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "batch.read:1:halt",
        "batch.write.before:1:halt",
        "batch.read.before:0:halt",
        "batch.read.before:halt",
        "batch.read.before:1:explode",
        "batch.read.before:1:sleep",
        "batch.read.before:1:halt:5",
        "batch.read.before@worker:1:halt",
        ""
      })
  void whatIsNoPlanIsRefusedWithFileAndLine(String line) throws IOException {
    arm("step.submit.before:1:halt", line);
    assertThatThrownBy(Failpoint.BATCH_READ::before)
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("plan:2: expected POINT.before|after")
        .hasMessageEndingWith("found " + line);
  }

  @Test
  void sleepDelays() throws IOException {
    arm("batch.read.before:1:sleep:200");
    long start = System.nanoTime();
    Failpoint.BATCH_READ.before();
    assertThat(System.nanoTime() - start).isGreaterThanOrEqualTo(200_000_000L);
  }

  /** Armed as real processes are; the second time the same command runs to its end. */
  @ParameterizedTest
  @CsvSource({"halt, PROPERTY", "kill9, VARIABLE"})
  void aProcessEndsAtOnceAndOnlyTheFirstTime(String action, String way) throws Exception {
    Files.write(folder.resolve("plan"), List.of("step.outcome.before@rank3:2:" + action));
    assertThat(end(child(way), 30)).isEqualTo(137);
    assertThat(folder.resolve("fired-1")).hasContent("rank3");
    assertThat(end(child(way), 30)).isZero();
    assertThat(Files.readAllLines(folder.resolve("met"))).hasSize(2 + 3);
  }

  @Test
  void aStoppedProcessGoesOnWhenItIsWoken() throws Exception {
    Files.write(folder.resolve("plan"), List.of("step.outcome.before:2:stop"));
    Process child = child("VARIABLE");
    Path status = Path.of("/proc", Long.toString(child.pid()), "stat");
    while (!Files.readString(status).contains(") T ")) {
      assertThat(child.isAlive()).isTrue();
      TimeUnit.MILLISECONDS.sleep(5);
    }
    new ProcessBuilder("kill", "-CONT", Long.toString(child.pid())).start().waitFor();
    assertThat(end(child, 30)).isZero();
  }

  private Process child(String way) throws IOException {
    boolean property = way.equals("PROPERTY");
    ProcessBuilder builder =
        new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-D" + Failpoint.PROPERTY + "=" + (property ? folder : ""),
            "-cp",
            System.getProperty("java.class.path"),
            Rank.class.getName());
    if (!property) {
      builder.command().remove(1);
      builder.environment().put(Failpoint.VARIABLE, folder.toString());
    }
    return builder.inheritIO().start();
  }

  private static int end(Process child, long seconds) throws InterruptedException {
    try {
      assertThat(child.waitFor(seconds, TimeUnit.SECONDS)).isTrue();
      return child.exitValue();
    } finally {
      child.destroyForcibly();
    }
  }

  /** A process that is at one point three times. */
  static final class Rank {
    private Rank() {}

    public static void main(String[] arguments) {
      Failpoint.processIs(3);
      for (int i = 0; i < 3; i++) {
        Failpoint.STEP_OUTCOME.before();
      }
    }
  }
}
