package dev.kindling.driver.launch;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.worker.event.StepDone;
import dev.kindling.worker.event.StepRecalled;
import dev.kindling.worker.event.Validated;
import dev.kindling.worker.launch.AttemptFailedException;
import dev.kindling.worker.launch.FailureKind;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The bytes of an event file are checked by EventFileTest, with classes from the .proto files. */
class EventFilesTest {
  private static final Clock NOW =
      Clock.fixed(Instant.ofEpochSecond(1_800_000_000), ZoneOffset.UTC);

  @TempDir Path run;
  private final List<String> notices = new ArrayList<>();

  private EventFiles open(long... told) {
    BitSet steps = new BitSet();
    for (long step : told) {
      steps.set((int) step);
    }
    return new EventFiles(run.resolve("events"), steps, NOW, notices::add);
  }

  private static StepDone step(long step, float loss) {
    return new StepDone(0, step, step * 64, loss, 1.5f, 1e-3, 12.25, 5000, 1024, 77, 0.5, false);
  }

  private static AttemptFailedException lost() {
    return new AttemptFailedException(FailureKind.LOST_WORKER, 1, "lost", null);
  }

  /**
   * What TensorBoard shows of a tag: files in the order of their names; the START of a file forgets
   * the steps from its own on.
   */
  private SortedMap<Long, Float> shown(String tag) throws IOException {
    SortedMap<Long, Float> curve = new TreeMap<>();
    try (Stream<Path> files = Files.list(run.resolve("events"))) {
      for (Path file : files.sorted().toList()) {
        long from = firstStep(file);
        curve.tailMap(from).clear();
        curve.putAll(values(file, tag));
      }
    }
    return curve;
  }

  private static long firstStep(Path file) throws IOException {
    byte[] start = records(file).get(1);
    // wall_time is 9 bytes, then the tag of step and a varint of one byte in these tests.
    assertThat(start[9]).isEqualTo((byte) 0x10);
    return start[10];
  }

  private static SortedMap<Long, Float> values(Path file, String tag) throws IOException {
    SortedMap<Long, Float> values = new TreeMap<>();
    for (byte[] record : records(file)) {
      String text = new String(record, StandardCharsets.ISO_8859_1);
      // A field of type string named tag, then a float.
      int at = text.indexOf("\n" + (char) tag.length() + tag + "\u0015");
      if (at >= 0) {
        ByteBuffer number = ByteBuffer.wrap(record).order(ByteOrder.LITTLE_ENDIAN);
        values.put((long) record[10], number.getFloat(at + 3 + tag.length()));
      }
    }
    return values;
  }

  private static List<byte[]> records(Path file) throws IOException {
    ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
    List<byte[]> records = new ArrayList<>();
    while (bytes.hasRemaining()) {
      byte[] content = new byte[(int) bytes.getLong()];
      bytes.getInt();
      bytes.get(content).getInt();
      records.add(content);
    }
    return records;
  }

  @Test
  void aRestartReplacesTheStepsThatItComputesAgain() throws IOException {
    try (EventFiles events = open()) {
      events.attemptStarts(1);
      for (int i = 1; i <= 5; i++) {
        events.emit(step(i, i));
      }
      events.emit(new Validated(0, 5, 50, 10));
      events.attemptFailed(1, lost(), true);
      events.attemptStarts(2);
      events.emit(new StepRecalled(0, step(3, 3), Float.NaN));
      events.emit(step(4, 40));
    }
    assertThat(shown("loss"))
        .isEqualTo(new TreeMap<>(java.util.Map.of(1L, 1f, 2L, 2f, 3L, 3f, 4L, 40f)));
    assertThat(shown("val_loss")).isEmpty();
    assertThat(shown("comm_bytes")).containsOnlyKeys(1L, 2L, 3L, 4L).containsValue(77f);
  }

  @Test
  void aStepThatDiedWithItsDriverIsToldOnce() throws IOException {
    try (EventFiles events = open(1, 2)) {
      events.attemptStarts(2);
      events.emit(new StepRecalled(0, step(2, 2), Float.NaN));
      events.emit(new StepRecalled(0, step(3, 3), 9f, 0.5f));
      events.emit(step(4, 4));
    }
    assertThat(shown("loss")).containsOnlyKeys(3L, 4L);
    assertThat(shown("val_loss")).containsEntry(3L, 9f);
    assertThat(shown("validation_accuracy")).containsOnlyKeys(3L).containsEntry(3L, 0.5f);
  }

  @Test
  void aValidationBeforeTheFirstStepKeepsTheStepsBefore() throws IOException {
    try (EventFiles events = open()) {
      events.attemptStarts(1);
      events.emit(step(1, 1));
      events.emit(step(2, 2));
      events.attemptStarts(2);
      events.emit(new Validated(0, 2, 20, 10, 0.75f));
      events.emit(step(3, 3));
    }
    assertThat(shown("loss")).containsOnlyKeys(1L, 2L, 3L);
    assertThat(shown("val_loss")).containsEntry(2L, 20f);
    assertThat(shown("validation_accuracy")).containsEntry(2L, 0.75f);
  }

  @Test
  void aFolderThatCannotBeWrittenIsOneNotice() throws IOException {
    Files.writeString(run.resolve("events"), "a file in the way");
    try (EventFiles events = open()) {
      events.attemptStarts(1);
      events.emit(step(1, 1));
      events.emit(step(2, 2));
      events.attemptStarts(2);
      events.emit(step(3, 3));
    }
    assertThat(notices).hasSize(1);
    assertThat(notices.get(0)).contains("TensorBoard").contains("events");
  }

  @Test
  void anAttemptWithoutAStepLeavesNoFile() {
    try (EventFiles events = open()) {
      events.attemptStarts(1);
      events.attemptFailed(1, lost(), false);
    }
    assertThat(run.resolve("events")).doesNotExist();
  }
}
