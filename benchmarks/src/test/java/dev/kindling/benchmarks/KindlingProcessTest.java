package dev.kindling.benchmarks;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.OptionalInt;
import org.junit.jupiter.api.Test;

class KindlingProcessTest {
  @Test
  void findsTheRankOfAProcessInTheLedgerThatItKeepsOpen() {
    assertEquals(
        OptionalInt.of(0), KindlingProcess.rankIn("/runs/a/ledger/e0000000003-s0000-r00000.log"));
    assertEquals(
        OptionalInt.of(12), KindlingProcess.rankIn("/runs/a/ledger/e0000000003-s0001-r00012.log"));
    assertEquals(OptionalInt.empty(), KindlingProcess.rankIn("/runs/a/metrics.jsonl"));
    assertEquals(OptionalInt.empty(), KindlingProcess.rankIn("socket:[8]"));
  }
}
