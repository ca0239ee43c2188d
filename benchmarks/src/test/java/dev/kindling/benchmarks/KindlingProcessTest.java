package dev.kindling.benchmarks;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class KindlingProcessTest {
  @Test
  void findsTheDeadRankOfEitherLauncherAndOnlyTheFirst() {
    assertEquals(
        "rank0", KindlingProcess.deadIn("rank 0: its worker died (executor 1, pid 7 on here)"));
    assertEquals(
        "worker",
        KindlingProcess.deadIn(
            "step 3/9\nrank 1: process ended with exit code 137 without a word"));
    assertEquals(
        "rank0",
        KindlingProcess.deadIn(
            "rank 0: process ended with exit code 137\nrank 1: its worker died"));
  }

  @Test
  void guessesNoRank() {
    assertEquals(
        "unnamed_rank", KindlingProcess.deadIn("rank 1: process ended with exit code 1; trying"));
  }
}
