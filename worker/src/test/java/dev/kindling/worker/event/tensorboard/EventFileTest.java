package dev.kindling.worker.event.tensorboard;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.InvalidProtocolBufferException;
import dev.kindling.tensorboard.proto.Event;
import dev.kindling.tensorboard.proto.SessionLog;
import dev.kindling.tensorboard.proto.Summary;
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
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EventFileTest {
  private static final Clock NOW = at(1_800_000_000_250L);

  @TempDir Path folder;

  private static Clock at(long millis) {
    return Clock.fixed(Instant.ofEpochMilli(millis), ZoneOffset.UTC);
  }

  private List<Path> files() throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.sorted().toList();
    }
  }

  /** An independent reader: framing by the format's description, messages by generated classes. */
  private static List<Event> decode(Path file) throws IOException {
    ByteBuffer bytes =
        ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN).asReadOnlyBuffer();
    bytes.order(ByteOrder.LITTLE_ENDIAN);
    List<Event> events = new ArrayList<>();
    while (bytes.hasRemaining()) {
      byte[] length = new byte[8];
      bytes.get(bytes.position(), length);
      long count = bytes.getLong();
      assertThat(bytes.getInt()).isEqualTo(mask(crc32c(length)));
      byte[] content = new byte[Math.toIntExact(count)];
      bytes.get(content);
      assertThat(bytes.getInt()).isEqualTo(mask(crc32c(content)));
      events.add(parse(content));
    }
    return events;
  }

  private static Event parse(byte[] content) throws InvalidProtocolBufferException {
    Event event = Event.parseFrom(content);
    assertThat(event.getUnknownFields().asMap()).isEmpty();
    return event;
  }

  private static int mask(int crc) {
    return ((crc >>> 15) | (crc << 17)) + 0xa282ead8;
  }

  /** Bit by bit, reversed polynomial 0x82f63b78: nothing in common with the writer's. */
  private static int crc32c(byte[] bytes) {
    int crc = ~0;
    for (byte b : bytes) {
      crc ^= b & 0xff;
      for (int bit = 0; bit < 8; bit++) {
        crc = (crc >>> 1) ^ (0x82f63b78 & -(crc & 1));
      }
    }
    return ~crc;
  }

  @Test
  void theCheckSumIsCastagnolis() {
    // RFC 3720, B.4: 32 bytes of zeros; and the check value of "123456789".
    assertThat(crc32c(new byte[32])).isEqualTo(0x8a9136aa);
    assertThat(crc32c("123456789".getBytes(StandardCharsets.US_ASCII))).isEqualTo(0xe3069283);
  }

  @Test
  void anIndependentDecoderReadsWhatWasWritten() throws IOException {
    Map<String, Double> values = new LinkedHashMap<>();
    values.put("loss", 2.5);
    values.put("größe", -1e30);
    values.put("nothing", Double.NaN);
    values.put("bytes", 123456789012.0);
    try (EventFile file = EventFile.create(folder, 3, 41, NOW)) {
      file.scalars(41, values);
      file.scalars(1L << 40, Map.of("loss", Double.POSITIVE_INFINITY));
    }
    assertThat(files()).hasSize(1);
    assertThat(files().get(0).getFileName())
        .hasToString("events.out.tfevents.1800000000.kindling.attempt-3");
    List<Event> events = decode(files().get(0));
    assertThat(events).hasSize(4);
    assertThat(events).allMatch(event -> event.getWallTime() == 1_800_000_000.25);
    assertThat(events.get(0).getFileVersion()).isEqualTo("brain.Event:2");
    assertThat(events.get(1).getStep()).isEqualTo(41);
    assertThat(events.get(1).getSessionLog().getStatus()).isEqualTo(SessionLog.SessionStatus.START);
    assertThat(events.get(2).getStep()).isEqualTo(41);
    List<Summary.Value> read = events.get(2).getSummary().getValueList();
    assertThat(read.stream().map(Summary.Value::getTag)).containsExactlyElementsOf(values.keySet());
    assertThat(read.stream().map(Summary.Value::getSimpleValue))
        .containsExactly(2.5f, -1e30f, Float.NaN, 123456789012f);
    assertThat(events.get(3).getStep()).isEqualTo(1L << 40);
    assertThat(events.get(3).getSummary().getValue(0).getSimpleValue())
        .isEqualTo(Float.POSITIVE_INFINITY);
  }

  @Test
  void aLaterFileSortsBehindAnEarlierOneWhateverTheClockSays() throws IOException {
    EventFile.create(folder, 1, 1, NOW).close();
    EventFile.create(folder, 2, 21, NOW).close();
    EventFile.create(folder, 3, 31, at(1_700_000_000_000L)).close();
    assertThat(files().stream().map(path -> path.getFileName().toString()))
        .containsExactly(
            "events.out.tfevents.1800000000.kindling.attempt-1",
            "events.out.tfevents.1800000001.kindling.attempt-2",
            "events.out.tfevents.1800000002.kindling.attempt-3");
  }

  @Test
  void everyLengthOfRecordIsFramed() throws IOException {
    try (EventFile file = EventFile.create(folder, 1, 1, NOW)) {
      for (int length = 0; length < 300; length++) {
        file.scalars(length, Map.of("t".repeat(length), 1.0));
      }
    }
    List<Event> events = decode(files().get(0));
    for (int length = 0; length < 300; length++) {
      assertThat(events.get(length + 2).getSummary().getValue(0).getTag()).hasSize(length);
    }
  }
}
