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
    new Crew("", 3)
        .each(
            "count",
            items,
            item -> {
              together.countDown();
              assertThat(await(together)).as("three at a time").isTrue();
              assertThat(done.add(item)).isTrue();
            });
    assertThat(done).containsExactlyInAnyOrderElementsOf(items);
  }

  @Test
  void threadsAreNamedForTheirRoleAndRank() throws IOException {
    Set<String> names = ConcurrentHashMap.newKeySet();
    CountDownLatch together = new CountDownLatch(3);
    new Crew("-rank-5", 3)
        .each(
            "verify",
            List.of(1, 2, 3),
            item -> {
              names.add(Thread.currentThread().getName());
              together.countDown();
              await(together);
            });
    assertThat(names)
        .containsExactlyInAnyOrder(
            Thread.currentThread().getName(), "verify-rank-5-1", "verify-rank-5-2");
    assertThat(Crew.ofRank(2, 1).threads("load").newThread(() -> {}).getName())
        .isEqualTo("load-rank-2-1");
    assertThat(Crew.ofProcess().threads("load").newThread(() -> {}).getName()).isEqualTo("load-1");
  }

  @Test
  void theRanksOfAHostShareItsCoresAndEachHasAHand() {
    int cores = Runtime.getRuntime().availableProcessors();
    assertThat(Crew.ofRank(0, 1).hands()).isEqualTo(Crew.MOST_HANDS);
    assertThat(Crew.ofRank(0, 0).hands()).as("not known").isEqualTo(Crew.MOST_HANDS);
    assertThat(Crew.ofRank(1, cores).hands()).isEqualTo(1);
    assertThat(Crew.ofRank(1, 100 * cores).hands()).isEqualTo(1);
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
                new Crew("", 2)
                    .each(
                        "count",
                        IntStream.range(0, 100).boxed().toList(),
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
