package dev.kindling.benchmarks;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

class RankGroupTest {
  private static final Duration LONG = Duration.ofMinutes(10);

  @Test
  void aRankThatDiesFailsTheGroupWhileItsPeersStillWait() throws Exception {
    try (RankGroup group = new RankGroup()) {
      // Rank 0 would outlast the test suite; only the death of rank 1 can end the wait.
      group.start(List.of("sleep", "7200"));
      group.start(List.of("sh", "-c", "echo before; echo out of luck >&2; exit 7"));
      String message =
          assertThrows(IllegalStateException.class, () -> group.await(LONG)).getMessage();
      assertTrue(message.contains("rank 1 ended with exit code 7"), message);
      assertTrue(message.contains("out of luck"), message);
    }
  }

  @Test
  void linesAreThoseOfRankZero() throws Exception {
    try (RankGroup group = new RankGroup()) {
      group.start(List.of("sh", "-c", "echo first; echo second"));
      group.start(List.of("echo", "another"));
      assertEquals(List.of("first", "second"), group.await(LONG));
    }
  }
}
