package dev.kindling.driver.launch;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.worker.event.LogLine;
import dev.kindling.worker.event.WorkerEvent;
import dev.kindling.worker.launch.AttemptFailedException;
import dev.kindling.worker.launch.FailureKind;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class ObserverPairTest {
  private final List<String> heard = new ArrayList<>();

  private final class Listener implements RunObserver {
    private final String name;

    Listener(String name) {
      this.name = name;
    }

    @Override
    public void ranksReduced(int nextAttempt, int before, int now) {
      heard.add(name + " reduced " + nextAttempt + " " + before + " " + now);
    }

    @Override
    public void attemptStarts(int attempt) {
      heard.add(name + " starts " + attempt);
    }

    @Override
    public void attemptFailed(int attempt, AttemptFailedException failure, boolean retried) {
      heard.add(name + " failed " + attempt + " " + retried);
    }

    @Override
    public void emit(WorkerEvent event) {
      heard.add(name + " event");
    }
  }

  @Test
  void bothHearEverythingTheFirstOneFirst() {
    RunObserver pair = new ObserverPair(new Listener("a"), new Listener("b"));
    pair.attemptStarts(1);
    pair.emit(new LogLine(0, LogLine.Level.INFO, "text"));
    pair.attemptFailed(
        1, new AttemptFailedException(FailureKind.LOST_WORKER, 0, "gone", null), true);
    pair.ranksReduced(2, 4, 3);
    assertThat(heard)
        .containsExactly(
            "a starts 1",
            "b starts 1",
            "a event",
            "b event",
            "a failed 1 true",
            "b failed 1 true",
            "a reduced 2 4 3",
            "b reduced 2 4 3");
  }
}
