package dev.kindling.worker.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class ExamplePackingTest {
  private static final long SEED = Long.getLong("seed", 13L);

  @Test
  void eachExampleLiesWholeInOneSequence() {
    Random random = new Random(SEED);
    for (int trial = 0; trial < 200; trial++) {
      int capacity = 1 + random.nextInt(60);
      int[] lengths = random.ints(random.nextInt(300), 1, capacity + 1).toArray();
      List<int[]> packed = ExamplePacking.bestFit(lengths, capacity);
      BitSet seen = new BitSet();
      for (int[] sequence : packed) {
        assertThat(sequence).isSorted().isNotEmpty();
        int tokens = 0;
        for (int example : sequence) {
          assertThat(seen.get(example)).as("seed %d trial %d", SEED, trial).isFalse();
          seen.set(example);
          tokens += lengths[example];
        }
        assertThat(tokens).isLessThanOrEqualTo(capacity);
      }
      assertThat(seen.cardinality()).isEqualTo(lengths.length);
    }
  }

  @Test
  void uniformLengthsLeaveLittlePadding() {
    Random random = new Random(SEED);
    int[] lengths = random.ints(20_000, 1, 513).toArray();
    long tokens = Arrays.stream(lengths).asLongStream().sum();
    long padded = 512L * ExamplePacking.bestFit(lengths, 512).size();
    assertThat((double) tokens / padded).as("seed %d", SEED).isGreaterThan(0.98);
  }

  @Test
  void bestFitTakesTheFullestSequenceWithRoom() {
    // 6 and 5 open two sequences of 10; 4 fits only behind 6 exactly, 3 behind 5, 2 behind 5 + 3.
    assertThat(ExamplePacking.bestFit(new int[] {2, 3, 4, 5, 6}, 10))
        .containsExactly(new int[] {2, 4}, new int[] {0, 1, 3});
    assertThatThrownBy(() -> ExamplePacking.bestFit(new int[] {11}, 10))
        .hasMessageContaining("expected 1 to 10 tokens, found 11");
  }
}
