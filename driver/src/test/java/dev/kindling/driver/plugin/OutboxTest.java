package dev.kindling.driver.plugin;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.worker.event.EventCodec;
import dev.kindling.worker.event.LogLine;
import dev.kindling.worker.event.Sample;
import dev.kindling.worker.event.WorkerEvent;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

class OutboxTest {
  private final EventCodec codec = new EventCodec();

  private static LogLine line(int number) {
    return new LogLine(3, LogLine.Level.INFO, "line " + number);
  }

  private List<WorkerEvent> events(Outbox.Batch batch) {
    return Arrays.stream(batch.events()).map(codec::decode).toList();
  }

  @Test
  void aBatchIsTheSameUntilItIsAcknowledged() {
    Outbox outbox = new Outbox(10);
    outbox.put(line(0));
    Outbox.Batch first = outbox.batch();
    outbox.put(line(1));
    assertThat(outbox.batch()).isSameAs(first);
    assertThat(events(first)).containsExactly(line(0));
    outbox.acknowledged();
    assertThat(outbox.isEmpty()).isFalse();
    assertThat(events(outbox.batch())).containsExactly(line(1));
    assertThat(outbox.batch().first()).isEqualTo(1);
    outbox.acknowledged();
    assertThat(outbox.isEmpty()).isTrue();
    assertThat(outbox.batch().events()).isEmpty();
  }

  @Test
  void droppedEventsLeaveAGapInTheNumbers() {
    Outbox outbox = new Outbox(2);
    for (int i = 0; i < 5; i++) {
      outbox.put(line(i));
    }
    assertThat(outbox.batch().first()).isEqualTo(3);
    assertThat(events(outbox.batch())).containsExactly(line(3), line(4));
  }

  @Test
  void aBatchStaysBelowTheLimitOfTheWire() {
    Outbox outbox = new Outbox(100);
    String text = "x".repeat(EventCodec.MAX_BYTES / 2);
    for (int i = 0; i < 20; i++) {
      outbox.put(new Sample(3, i, "", text));
    }
    int seen = 0;
    ControlCodec control = new ControlCodec();
    while (!outbox.isEmpty()) {
      Outbox.Batch batch = outbox.batch();
      assertThat(batch.first()).isEqualTo(seen);
      seen += batch.events().length;
      control.encode(new RankReport("run", 3, batch.first(), batch.events()));
      outbox.acknowledged();
    }
    assertThat(seen).isEqualTo(20);
  }

  @Test
  void anEventThatIsTooLongIsSaidAndHoldsUpNobody() {
    Outbox outbox = new Outbox(10);
    outbox.put(new Sample(3, 1, "", "x".repeat(2 * EventCodec.MAX_BYTES)));
    outbox.put(line(1));
    List<WorkerEvent> sent = events(outbox.batch());
    assertThat(sent).hasSize(2).contains(line(1));
    assertThat(((LogLine) sent.get(0)).text()).startsWith("Sample could not be sent");
  }
}
