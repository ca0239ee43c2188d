package dev.kindling.driver.launch;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.kindling.worker.event.CheckpointSaved;
import dev.kindling.worker.event.RoundDone;
import dev.kindling.worker.event.StepDone;
import dev.kindling.worker.event.StepRecalled;
import dev.kindling.worker.event.Validated;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MetricsFileTest {
  private static final long SEED = Long.getLong("seed", 7);

  @TempDir Path folder;

  private static StepDone step(long step, float loss) {
    return new StepDone(0, step, step * 64, loss, 1.5f, 1e-3, 12.25, 5000, 1024, 77, 0.5, false);
  }

  private List<JsonNode> lines() throws IOException {
    List<JsonNode> nodes = new ArrayList<>();
    for (String line : Files.readAllLines(folder.resolve("metrics.jsonl"))) {
      nodes.add(new ObjectMapper().readTree(line));
    }
    return nodes;
  }

  @Test
  void everyFiniteLossParsesBackToTheSameBits() throws IOException {
    Random random = new Random(SEED);
    List<Float> written = new ArrayList<>();
    try (MetricsFile file = MetricsFile.open(folder.resolve("metrics.jsonl"))) {
      for (int i = 1; i <= 2000; i++) {
        float loss = Float.intBitsToFloat(random.nextInt());
        loss = Float.isFinite(loss) ? loss : i;
        written.add(loss);
        file.emit(step(i, loss));
      }
    }
    List<JsonNode> lines = lines();
    assertThat(lines).hasSize(2000);
    for (int i = 0; i < 2000; i++) {
      int bits = Float.floatToRawIntBits((float) lines.get(i).get("loss").doubleValue());
      assertThat(bits)
          .as("seed %d, line %d", SEED, i)
          .isEqualTo(Float.floatToRawIntBits(written.get(i)));
    }
  }

  @Test
  void aRecalledStepIsWrittenOnlyIfItsLineWasLost() throws IOException {
    Path path = folder.resolve("metrics.jsonl");
    try (MetricsFile file = MetricsFile.open(path)) {
      file.emit(step(1, 0.5f));
      file.emit(step(2, 0.25f));
    }
    try (MetricsFile file = MetricsFile.open(path)) {
      file.attemptStarts(2);
      for (int number = 1; number <= 4; number++) {
        float validation = number == 4 ? 0.75f : Float.NaN;
        file.emit(new StepRecalled(0, step(number, 0.125f), validation));
      }
      file.emit(step(5, 0.0625f));
    }
    assertThat(lines())
        .extracting(line -> line.get("step").asInt() + " of " + line.get("attempt").asInt())
        .containsExactly("1 of 1", "2 of 1", "3 of 2", "4 of 2", "5 of 2");
    assertThat(lines().get(3).get("val_loss").doubleValue()).isEqualTo(0.75);
  }

  @Test
  void aRoundStandsInTheLineOfTheStepBehindWhichItEnded() throws IOException {
    try (MetricsFile file = MetricsFile.open(folder.resolve("metrics.jsonl"))) {
      file.attemptStarts(1);
      file.emit(step(3, 2f));
      file.emit(new RoundDone(0, 4, 1, 0.5, Float.NaN, Double.NaN, Double.NaN));
      file.emit(step(4, 2f));
      file.emit(step(5, 2f));
      file.emit(new RoundDone(0, 8, 2, 0.25, 1.75f, 0.125, 1.5));
      file.emit(step(8, 2f));
      file.emit(new Validated(0, 8, 1.5f, 640));
    }
    List<JsonNode> lines = lines();
    assertThat(lines).hasSize(4);
    assertThat(lines.get(0).has("outer_step")).isFalse();
    assertThat(lines.get(1).get("outer_step").asInt()).isEqualTo(1);
    assertThat(lines.get(1).has("round_loss")).isFalse();
    assertThat(lines.get(1).has("staleness_gap")).isFalse();
    assertThat(lines.get(2).has("outer_step")).isFalse();
    JsonNode last = lines.get(3);
    assertThat(last.get("sync_exposed_ms").doubleValue()).isEqualTo(0.25);
    assertThat(last.get("round_loss").doubleValue()).isEqualTo(1.75);
    assertThat(last.get("replica_drift").doubleValue()).isEqualTo(0.125);
    assertThat(last.get("staleness_gap").doubleValue()).isEqualTo(1.5);
    assertThat(last.get("val_loss").doubleValue()).isEqualTo(1.5);
  }

  @Test
  void theShareOfAnswersStandsInTheLineOfItsStep() throws IOException {
    try (MetricsFile file = MetricsFile.open(folder.resolve("metrics.jsonl"))) {
      file.attemptStarts(1);
      file.emit(new Validated(0, 9, Float.NaN, 0, 0.25f));
      file.emit(step(10, 2f));
      file.emit(new Validated(0, 10, 1.75f, 640, 0.5f));
      file.emit(new StepRecalled(0, step(11, 0.125f), Float.NaN, 0.75f));
    }
    List<JsonNode> lines = lines();
    assertThat(lines)
        .extracting(line -> line.get("validation_accuracy").doubleValue())
        .containsExactly(0.25, 0.5, 0.75);
    assertThat(lines).extracting(line -> line.has("val_loss")).containsExactly(false, true, false);
    assertThat(lines).extracting(line -> line.has("loss")).containsExactly(false, true, true);
  }

  @Test
  void aLineHoldsTheKeysOfTheContractAndTheValidationOfItsStep() throws IOException {
    try (MetricsFile file = MetricsFile.open(folder.resolve("metrics.jsonl"))) {
      file.attemptStarts(3);
      file.emit(step(10, 2f));
      file.emit(new Validated(0, 10, 1.75f, 640));
      file.emit(new CheckpointSaved(0, 10, "x", 1, 1, 0.5, ""));
      file.emit(step(20, Float.NaN));
    }
    List<JsonNode> lines = lines();
    assertThat(lines).hasSize(2);
    List<String> names = new ArrayList<>();
    lines.get(0).fieldNames().forEachRemaining(names::add);
    assertThat(names)
        .containsExactly(
            "step",
            "tokens",
            "loss",
            "grad_norm",
            "lr",
            "step_ms",
            "tokens_per_s",
            "mfu",
            "device_bytes_peak",
            "comm_bytes",
            "comm_exposed_ms",
            "attempt",
            "val_loss",
            "unix_ms");
    assertThat(lines.get(0).get("val_loss").doubleValue()).isEqualTo(1.75);
    assertThat(lines.get(0).get("attempt").intValue()).isEqualTo(3);
    assertThat(lines.get(1).get("loss").textValue()).isEqualTo("NaN");
    assertThat(lines.get(1).has("val_loss")).isFalse();
  }

  @Test
  void theFileIsOnlyEverAppendedToAndATornLineIsClosed() throws IOException {
    Path path = folder.resolve("metrics.jsonl");
    try (MetricsFile file = MetricsFile.open(path)) {
      file.attemptStarts(2);
      file.emit(step(1, 3f));
    }
    Files.writeString(path, "{\"step\":2,\"tok", StandardOpenOption.APPEND);
    assertThat(MetricsFile.lastAttempt(path)).isEqualTo(2);
    try (MetricsFile file = MetricsFile.open(path)) {
      file.attemptStarts(3);
      file.emit(step(2, 4f));
    }
    List<String> all = Files.readAllLines(path);
    assertThat(all).hasSize(3);
    assertThat(all.get(1)).isEqualTo("{\"step\":2,\"tok");
    assertThat(all.get(2)).startsWith("{\"step\":2,").contains("\"attempt\":3");
    assertThat(MetricsFile.lastAttempt(path)).isEqualTo(3);
  }
}
