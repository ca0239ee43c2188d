package dev.kindling.worker.event;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class EventCodecTest {
  private static final List<WorkerEvent> EVENTS =
      List.of(
          new PhaseEntered(3, Phase.DRY_RUN, 0, "compiling"),
          new StepDone(
              0, 7, 1024, Float.intBitsToFloat(0x7f800001), 1.5f, 1e-3, 2.5, 3.5, 4, 5, 6.5, true),
          new StepRecalled(
              0, new StepDone(0, 7, 1024, 0.1f, 1.5f, 1e-3, 2.5, 3.5, 4, 5, 6.5, false), Float.NaN),
          new Validated(0, 7, 1.25f, 99, 0.5f),
          new CheckpointSaved(0, 7, "e1-s7", 12, 1.0, 0.5, ""),
          new Sample(0, 7, "public ", "class \u00e4"),
          new LogLine(1, LogLine.Level.WARN, "slow"),
          new RoundDone(0, 8, 2, 1.5, 0.25f, 0.125, Double.NaN),
          new Heartbeat(1, Phase.TRAIN, 7, 99),
          new LoggedLines(1, 12, "1700000000000 WARN Ring: slow"));

  @Test
  void everyPermittedEventSurvivesTheWire() {
    assertThat(EVENTS.stream().<Class<?>>map(Object::getClass).toList())
        .containsExactlyInAnyOrder(WorkerEvent.class.getPermittedSubclasses());
    var writer = new EventCodec();
    var reader = new EventCodec();
    for (WorkerEvent event : EVENTS) {
      assertThat(reader.decode(writer.encode(event))).isEqualTo(event);
    }
  }

  @Test
  void garbageIsRefusedWithAnError() {
    var random = new Random(7);
    var codec = new EventCodec();
    for (int trial = 0; trial < 2000; trial++) {
      byte[] bytes = new EventCodec().encode(EVENTS.get(trial % EVENTS.size()));
      bytes[random.nextInt(bytes.length)] ^= (byte) (1 << random.nextInt(8));
      try {
        assertThat(codec.decode(bytes)).isInstanceOf(WorkerEvent.class);
      } catch (IllegalArgumentException refused) {
        assertThat(refused).hasMessageContaining("event");
      }
    }
    assertThatThrownBy(() -> codec.decode(new byte[0]))
        .isInstanceOf(IllegalArgumentException.class);
  }
}
