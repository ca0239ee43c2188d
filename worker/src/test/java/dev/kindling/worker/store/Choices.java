package dev.kindling.worker.store;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** Combinations of independent choices. */
public final class Choices {
  private Choices() {}

  /**
   * All combinations, or if there are more than {@code most}: none taken, all taken, and random
   * ones, which favour the ends of each choice.
   *
   * @param counts of each choice the number of its answers, which begin at 0
   */
  public static List<int[]> of(int[] counts, int most, Random random) {
    long all = 1;
    for (int count : counts) {
      all = Math.min(most + 1L, all * count);
    }
    List<int[]> combinations = new ArrayList<>();
    if (all > most) {
      combinations.add(new int[counts.length]);
      combinations.add(last(counts));
      while (combinations.size() < most) {
        combinations.add(drawn(counts, random));
      }
      return combinations;
    }
    int[] now = new int[counts.length];
    for (long i = 0; i < all; i++) {
      combinations.add(now.clone());
      increment(now, counts);
    }
    return combinations;
  }

  private static void increment(int[] digits, int[] bases) {
    int at = 0;
    while (at < digits.length && ++digits[at] == bases[at]) {
      digits[at++] = 0;
    }
  }

  private static int[] last(int[] counts) {
    int[] last = counts.clone();
    for (int i = 0; i < last.length; i++) {
      last[i]--;
    }
    return last;
  }

  private static int[] drawn(int[] counts, Random random) {
    int[] drawn = last(counts);
    for (int i = 0; i < drawn.length; i++) {
      switch (random.nextInt(4)) {
        case 0 -> drawn[i] = 0;
        case 1 -> {}
        default -> drawn[i] = random.nextInt(counts[i]);
      }
    }
    return drawn;
  }
}
