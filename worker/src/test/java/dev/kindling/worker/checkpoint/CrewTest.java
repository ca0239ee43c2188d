package dev.kindling.worker.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class CrewTest {
  @Test
  void everyItemIsDoneOnceByAsManyHandsAsWereAsked() throws IOException {
    Set<Integer> done = ConcurrentHashMap.newKeySet();
    CountDownLatch together = new CountDownLatch(3);
    List<Integer> items = IntStream.range(0, 3).boxed().toList();
    Crew.each(
        items,
        3,
        item -> {
          together.countDown();
          assertThat(await(together)).as("three at a time").isTrue();
          assertThat(done.add(item)).isTrue();
        });
    assertThat(done).containsExactlyInAnyOrderElementsOf(items);
  }

  private static boolean await(CountDownLatch latch) {
    try {
      return latch.await(20, TimeUnit.SECONDS);
    } catch (InterruptedException stopped) {
      throw new IllegalStateException(stopped);
    }
  }

  @Test
  void ofSeveralFailuresTheFirstItemsIsThrownAndNothingIsBegunAfter() {
    Set<Integer> begun = ConcurrentHashMap.newKeySet();
    CountDownLatch both = new CountDownLatch(2);
    assertThatThrownBy(
            () ->
                Crew.each(
                    IntStream.range(0, 100).boxed().toList(),
                    2,
                    item -> {
                      begun.add(item);
                      both.countDown();
                      await(both);
                      throw new IOException("item " + item);
                    }))
        .isInstanceOf(IOException.class)
        .hasMessage("item 0");
    assertThat(begun).containsExactlyInAnyOrder(0, 1);
  }
}
