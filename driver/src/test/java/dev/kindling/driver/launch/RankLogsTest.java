package dev.kindling.driver.launch;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.worker.event.LogLine;
import dev.kindling.worker.event.LoggedLines;
import dev.kindling.worker.event.Phase;
import dev.kindling.worker.event.PhaseEntered;
import dev.kindling.worker.launch.AttemptFailedException;
import dev.kindling.worker.launch.FailureKind;
import java.io.BufferedReader;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

class RankLogsTest {
  private static final LogMask NOTHING = LogMask.of(List.of(), Map.of());

  @TempDir private Path run;

  private final List<String> notices = Collections.synchronizedList(new ArrayList<>());

  private RankLogs logs(LogMask mask, long limit) {
    Clock noon = Clock.fixed(Instant.parse("2026-11-27T12:00:00Z"), ZoneOffset.UTC);
    return new RankLogs(new RankLogFiles(run, "runs/a", limit), mask, noon, notices::add);
  }

  private List<String> file(String name) throws IOException {
    return Files.readAllLines(run.resolve("logs").resolve(name), StandardCharsets.UTF_8);
  }

  @Test
  void everyLineHasItsTimeItsAttemptAndAFileThatIsItsOwnersAlone() throws IOException {
    try (RankLogs logs = logs(NOTHING, 1 << 20)) {
      logs.attemptStarts(1);
      logs.emit(new PhaseEntered(1, Phase.DRY_RUN, 0, ""));
      logs.emit(
          new LoggedLines(1, 0, "1764244800123 WARN Ring: slow\n1764244800124 \u001b[31mred"));
      logs.emit(new LogLine(0, LogLine.Level.WARN, "one\ntwo"));
      logs.attemptFailed(
          1,
          new AttemptFailedException(FailureKind.DEVICE, 1, "rank 1: broken\n  | tail", null),
          true);
      logs.attemptStarts(2);
      logs.emit(new LoggedLines(1, 0, "1764244800125 again"));
    }
    assertThat(file("rank-1.log"))
        .containsExactly(
            "2026-11-27T12:00:00.000Z attempt 1 INFO phase dry run, step 0",
            "2025-11-27T12:00:00.123Z attempt 1 WARN Ring: slow",
            "2025-11-27T12:00:00.124Z attempt 1 ?[31mred",
            "2026-11-27T12:00:00.000Z attempt 1 ERROR attempt 1 failed: rank 1: broken",
            "2026-11-27T12:00:00.000Z attempt 1   | tail",
            "2025-11-27T12:00:00.125Z attempt 2 again");
    assertThat(file("rank-0.log")).hasSize(2).allMatch(line -> line.contains(" attempt 1 "));
    assertThat(notices).containsExactly("log of rank 1: runs/a/logs/rank-1.log");
    Path folder = run.resolve("logs");
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(folder)))
        .isEqualTo("rwx------");
    assertThat(
            PosixFilePermissions.toString(
                Files.getPosixFilePermissions(folder.resolve("rank-1.log"))))
        .isEqualTo("rw-------");
  }

  @Test
  void linesThatWereLostOnTheWayAreCounted() throws IOException {
    try (RankLogs logs = logs(NOTHING, 1 << 20)) {
      logs.attemptStarts(1);
      logs.emit(new LoggedLines(0, 0, "1 a\n2 b"));
      logs.emit(new LoggedLines(0, 7, "3 c"));
      logs.emit(new LoggedLines(0, 8, "4 d"));
    }
    assertThat(file("rank-0.log"))
        .extracting(line -> line.replaceFirst(".*attempt 1 ", ""))
        .containsExactly(
            "a", "b", "WARN 5 lines before this one were dropped: too many at once", "c", "d");
  }

  @Test
  void aFullFileBecomesTheOldOneAndTwoAreAllThereIs() throws IOException {
    try (RankLogs logs = logs(NOTHING, 1000)) {
      logs.attemptStarts(1);
      for (int i = 0; i < 100; i++) {
        logs.emit(new LogLine(0, LogLine.Level.INFO, "line " + i));
      }
    }
    try (var files = Files.list(run.resolve("logs"))) {
      assertThat(files.map(path -> path.getFileName().toString()))
          .containsExactlyInAnyOrder("rank-0.log", "rank-0.old.log");
    }
    List<String> now = file("rank-0.log");
    assertThat(now.get(0)).isEqualTo("earlier lines: rank-0.old.log");
    assertThat(now.get(now.size() - 1)).endsWith("line 99");
    List<String> old = file("rank-0.old.log");
    int last = Integer.parseInt(old.get(old.size() - 1).replaceFirst(".* ", ""));
    assertThat(now.get(1)).endsWith("line " + (last + 1));
    assertThat(Files.size(run.resolve("logs/rank-0.old.log"))).isLessThanOrEqualTo(1000);
  }

  @Test
  void secretsThatTheDriverKnowsAndPasswordsOfUrisAreTakenOut() throws IOException {
    Map<String, String> surroundings =
        Map.of("HF_TOKEN", "hf-4711-secret", "LANG", "en_US", "API_TOKEN", "abc");
    LogMask mask = LogMask.of(List.of("hunter22", "hunter22-longer"), surroundings);
    try (RankLogs logs = logs(mask, 1 << 20)) {
      logs.attemptStarts(1);
      String text = "1 hunter22-longer hf-4711-secret en_US abc s3://u:pw@host/x";
      logs.emit(new LoggedLines(0, 0, text));
    }
    assertThat(file("rank-0.log").get(0))
        .endsWith("(redacted) (redacted) en_US abc s3://(redacted)@host/x");
  }

  @Test
  void aFolderThatCannotBeWrittenIsOneNoticeAndNoError() throws IOException {
    Files.writeString(run.resolve("logs"), "a file in its place");
    try (RankLogs logs = logs(NOTHING, 1 << 20)) {
      logs.attemptStarts(1);
      logs.emit(new LogLine(0, LogLine.Level.INFO, "a"));
      logs.emit(new LogLine(1, LogLine.Level.INFO, "b"));
    }
    assertThat(notices)
        .singleElement()
        .asString()
        .startsWith("no more logs of the ranks in runs/a");
  }

  /** The disk is a pipe that nobody reads for a while. */
  @Test
  @Timeout(120)
  void aDiskThatHangsHoldsNobodyUpAndWhatItCostIsWritten() throws Exception {
    Path pipe = Files.createDirectory(run.resolve("logs")).resolve("rank-0.log");
    assertThat(new ProcessBuilder("mkfifo", pipe.toString()).start().waitFor()).isZero();
    RankLogs logs = logs(NOTHING, 1 << 20);
    logs.attemptStarts(1);
    String words = "x".repeat(1000);
    for (int i = 0; i < 20_000; i++) {
      logs.emit(new LoggedLines(0, i, i + " " + words));
    }
    // Opened both ways the pipe never ends.
    try (RandomAccessFile both = new RandomAccessFile(pipe.toFile(), "rw");
        BufferedReader reader =
            new BufferedReader(
                new InputStreamReader(new FileInputStream(both.getFD()), StandardCharsets.UTF_8))) {
      long written = 0;
      long dropped = 0;
      Pattern count = Pattern.compile("WARN (\\d+) lines before");
      while (written + dropped < 20_000) {
        String line = reader.readLine();
        Matcher told = count.matcher(line);
        if (told.find()) {
          dropped += Long.parseLong(told.group(1));
        } else {
          written++;
        }
      }
      assertThat(dropped).isGreaterThan(10_000);
    }
    logs.close();
  }
}
