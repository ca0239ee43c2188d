package dev.kindling.worker.event;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;

class LogPumpTest {
  @Test
  void whoeverLogsDoesNotWaitForASinkThatStandsStill() throws InterruptedException {
    LogBuffer buffer = new LogBuffer(0);
    List<LoggedLines> told = Collections.synchronizedList(new ArrayList<>());
    CountDownLatch entered = new CountDownLatch(1);
    CountDownLatch released = new CountDownLatch(1);
    LogPump pump =
        new LogPump(
            List.of(buffer),
            event -> {
              entered.countDown();
              try {
                released.await();
              } catch (InterruptedException e) {
                throw new IllegalStateException(e);
              }
              told.add((LoggedLines) event);
            });
    buffer.put(0, "first");
    entered.await();
    for (int i = 0; i < 100_000; i++) {
      buffer.put(i, "line " + i);
    }
    released.countDown();
    pump.finish();
    LoggedLines last = told.get(told.size() - 1);
    assertThat(last.first() + last.lines().size()).isEqualTo(100_001);
    assertThat(last.first()).as("most are gone, and counted").isGreaterThan(told.size());
    buffer.put(0, "late");
    assertThat(buffer.take(1)).isEmpty();
  }

  @Test
  void aSinkThatFailsEndsThePumpAndNobodyElse() throws InterruptedException {
    LogBuffer buffer = new LogBuffer(0);
    buffer.put(0, "line");
    LogPump pump =
        new LogPump(
            List.of(buffer),
            event -> {
              throw new IllegalStateException("disk full");
            });
    pump.finish();
    assertThat(buffer.take(1)).isEmpty();
  }
}
