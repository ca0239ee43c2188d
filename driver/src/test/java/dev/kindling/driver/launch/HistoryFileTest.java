package dev.kindling.driver.launch;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.kindling.worker.event.CheckpointSaved;
import dev.kindling.worker.event.StepDone;
import dev.kindling.worker.launch.AttemptFailedException;
import dev.kindling.worker.launch.FailureKind;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HistoryFileTest {
  private static final Clock NOW = Clock.fixed(Instant.ofEpochMilli(1234), ZoneOffset.UTC);

  @TempDir Path run;

  private List<JsonNode> lines() throws IOException {
    List<JsonNode> nodes = new ArrayList<>();
    for (String line : Files.readAllLines(run.resolve("history.jsonl"))) {
      if (line.endsWith("}")) {
        nodes.add(new ObjectMapper().readTree(line));
      }
    }
    return nodes;
  }

  @Test
  void itTellsWhatHappenedInItsOrder() throws IOException {
    try (HistoryFile history = HistoryFile.open(run, NOW)) {
      history.driverStarts(false, Map.of("Java", "17"));
      history.attemptStarts(1);
      history.emit(new StepDone(0, 7, 64, 2f, 1f, 1, 1, 1, 1, 1, 1, false));
      history.emit(new CheckpointSaved(0, 7, "x", 99, 1.5, 0.5, ""));
      history.attemptFailed(
          1, new AttemptFailedException(FailureKind.LOST_WORKER, 1, "two\nlines", null), true);
      history.driverEnds(6, "why");
    }
    List<JsonNode> lines = lines();
    assertThat(lines.stream().map(line -> line.get("event").textValue()))
        .containsExactly(
            "driver_started", "attempt_started", "checkpoint", "attempt_failed", "driver_ended");
    assertThat(lines).allMatch(line -> line.get("unix_ms").longValue() == 1234);
    assertThat(lines.get(0).get("environment").get("Java").textValue()).isEqualTo("17");
    assertThat(lines.get(2).get("bytes").longValue()).isEqualTo(99);
    assertThat(lines.get(2).get("stall_micros").longValue()).isEqualTo(500);
    assertThat(lines.get(3).get("step").longValue()).isEqualTo(7);
    assertThat(lines.get(3).get("kind").textValue()).isEqualTo("lost_worker");
    assertThat(lines.get(3).get("reason").textValue()).isEqualTo("two\nlines");
    assertThat(lines.get(4).get("exit_code").intValue()).isEqualTo(6);
  }

  @Test
  void aTornLineOfAKilledDriverCostsOnlyItself() throws IOException {
    try (HistoryFile history = HistoryFile.open(run, NOW)) {
      history.attemptStarts(1);
    }
    Files.writeString(run.resolve("history.jsonl"), "{\"unix_ms\":1", StandardOpenOption.APPEND);
    try (HistoryFile history = HistoryFile.open(run, NOW)) {
      history.attemptStarts(2);
    }
    assertThat(lines().stream().map(line -> line.get("attempt").intValue())).containsExactly(1, 2);
  }

  @Test
  void aFolderThatCannotBeWrittenEndsNothing() throws IOException {
    Path file = Files.writeString(run.resolve("file"), "");
    try (HistoryFile history = HistoryFile.open(file, NOW)) {
      history.attemptStarts(1);
      history.driverEnds(0, "");
    }
    assertThat(file).isEmptyFile();
  }
}
