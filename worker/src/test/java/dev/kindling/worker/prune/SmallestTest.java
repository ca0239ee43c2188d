package dev.kindling.worker.prune;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class SmallestTest {
  private static final long SEED = Long.getLong("seed", 5L);

  /** Sorting says the same, the index deciding between equal numbers. */
  @Test
  void theSmallestAreThoseThatSortingFinds() {
    SplittableRandom random = new SplittableRandom(SEED);
    for (int round = 0; round < 60; round++) {
      int count = 1 + random.nextInt(400);
      float[] numbers = new float[count];
      for (int i = 0; i < count; i++) {
        boolean coarse = round % 2 == 0;
        double value = coarse ? random.nextInt(4) : Math.exp(random.nextDouble(-40, 40));
        numbers[i] = random.nextInt(5) == 0 ? -0f : (float) value;
      }
      int wanted = random.nextInt(count + 1);
      List<Integer> expected =
          IntStream.range(0, count)
              .boxed()
              .sorted(Comparator.comparing(i -> numbers[i] + 0f))
              .limit(wanted)
              .sorted()
              .toList();
      List<Integer> found = new ArrayList<>();
      Smallest.choose(i -> numbers[(int) i], count, wanted, i -> found.add((int) i));
      assertThat(found).as("round %d seed %d", round, SEED).isEqualTo(expected);
    }
  }
}
