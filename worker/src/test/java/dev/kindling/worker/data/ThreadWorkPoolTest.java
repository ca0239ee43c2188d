package dev.kindling.worker.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class ThreadWorkPoolTest {
  private static final List<Integer> INPUTS = IntStream.range(0, 40).boxed().toList();
  private static final CountDownLatch BOTH = new CountDownLatch(2);
  private static final AtomicInteger BUSY = new AtomicInteger();

  @Test
  void resultsAndReportsComeInTheOrderOfTheInputs() {
    List<Long> reported = new ArrayList<>();
    ThreadWorkPool pool = new ThreadWorkPool(4, (phase, done, total) -> reported.add(done));
    assertEquals(INPUTS.stream().map(i -> i * i).toList(), pool.map("square", INPUTS, i -> i * i));
    assertEquals(IntStream.rangeClosed(1, 40).mapToObj(Long::valueOf).toList(), reported);
  }

  @Test
  void piecesRunBesideEachOther() {
    List<Integer> one = List.of(1, 1);
    ThreadWorkPool pool = new ThreadWorkPool(2, WorkPool.Progress.silent());
    assertEquals(one, pool.map("meet", one, ThreadWorkPoolTest::meet));
  }

  private static int meet(int number) {
    BOTH.countDown();
    try {
      BOTH.await();
    } catch (InterruptedException stopped) {
      throw new IllegalStateException(stopped);
    }
    return number;
  }

  @Test
  void theFirstFailureInInputOrderIsThrownAsItIs() {
    ThreadWorkPool pool = new ThreadWorkPool(4, WorkPool.Progress.silent());
    DataException failure =
        assertThrows(DataException.class, () -> pool.map("fail", INPUTS, ThreadWorkPoolTest::fail));
    assertEquals("piece 3", failure.getMessage());
  }

  private static int fail(int number) {
    if (number >= 3) {
      throw new DataException("piece " + number);
    }
    return number;
  }

  /** What a piece writes after the failure would be left behind. */
  @Test
  void afterAFailureNoPieceIsRunning() {
    ThreadWorkPool pool = new ThreadWorkPool(2, WorkPool.Progress.silent());
    assertThrows(
        DataException.class, () -> pool.map("end", List.of(3, 1), ThreadWorkPoolTest::endLate));
    assertEquals(0, BUSY.get());
  }

  private static int endLate(int number) {
    if (number == 3) {
      while (BUSY.get() == 0) {
        Thread.onSpinWait();
      }
      throw new DataException("piece 3");
    }
    BUSY.incrementAndGet();
    while (!Thread.currentThread().isInterrupted()) {
      Thread.onSpinWait();
    }
    long end = System.nanoTime() + 100_000_000L;
    while (System.nanoTime() < end) {
      Thread.onSpinWait();
    }
    return BUSY.decrementAndGet();
  }

  @Test
  void itNeedsAThread() {
    IllegalArgumentException refusal =
        assertThrows(
            IllegalArgumentException.class,
            () -> new ThreadWorkPool(0, WorkPool.Progress.silent()));
    assertEquals("threads: expected 1 or more, found 0", refusal.getMessage());
  }
}
