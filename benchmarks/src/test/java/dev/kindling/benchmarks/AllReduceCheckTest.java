package dev.kindling.benchmarks;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.FloatBuffer;
import org.junit.jupiter.api.Test;

class AllReduceCheckTest {
  private static final int RANKS = 4;
  private static final int ELEMENTS = 207;

  /** The fp32 sum over the first so many ranks, in rank order. */
  private static FloatBuffer sum(int ranks) {
    FloatBuffer sum = FloatBuffer.allocate(ELEMENTS);
    for (int i = 0; i < ELEMENTS; i++) {
      for (int rank = 0; rank < ranks; rank++) {
        sum.put(i, sum.get(i) + AllReduceCheck.value(rank, i));
      }
    }
    return sum;
  }

  private static String refusal(FloatBuffer found) {
    var check = new AllReduceCheck(RANKS);
    return assertThrows(IllegalStateException.class, () -> check.require("ring", found))
        .getMessage();
  }

  @Test
  void roundedSumsPass() {
    assertDoesNotThrow(() -> new AllReduceCheck(RANKS).require("ring", sum(RANKS)));
  }

  @Test
  void aMissingRankIsFound() {
    assertTrue(refusal(sum(RANKS - 1)).contains("ring: wrong sum at element 0"));
  }

  @Test
  void swappedNeighboursAreFound() {
    FloatBuffer found = sum(RANKS);
    float kept = found.get(100);
    found.put(100, found.get(101)).put(101, kept);
    assertTrue(refusal(found).contains("element 100"));
  }

  @Test
  void notANumberIsFound() {
    assertTrue(refusal(sum(RANKS).put(ELEMENTS - 1, Float.NaN)).contains("found NaN"));
  }
}
