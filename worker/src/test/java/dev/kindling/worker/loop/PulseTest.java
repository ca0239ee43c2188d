package dev.kindling.worker.loop;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.worker.event.Heartbeat;
import dev.kindling.worker.event.Phase;
import dev.kindling.worker.event.PhaseEntered;
import dev.kindling.worker.event.WorkerEvent;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class PulseTest {
  private final BlockingQueue<WorkerEvent> events = new LinkedBlockingQueue<>();

  private WorkerEvent next() throws InterruptedException {
    return events.poll(60, TimeUnit.SECONDS);
  }

  @Test
  void itBeatsWhetherOrNotTheStepMoves() throws InterruptedException {
    Pulse pulse = new Pulse(3, events::add);
    pulse.enter(Phase.TRAIN, 5);
    pulse.moved();
    pulse.done(6);
    assertThat(next()).isEqualTo(new PhaseEntered(3, Phase.TRAIN, 5, ""));
    try (Pulse beating = pulse.start()) {
      assertThat(next()).isEqualTo(new Heartbeat(3, Phase.TRAIN, 6, 3));
      assertThat(next()).isEqualTo(new Heartbeat(3, Phase.TRAIN, 6, 3));
      beating.moved();
      WorkerEvent beat = next();
      while (beat.equals(new Heartbeat(3, Phase.TRAIN, 6, 3))) {
        beat = next();
      }
      assertThat(beat).isEqualTo(new Heartbeat(3, Phase.TRAIN, 6, 4));
    }
  }
}
