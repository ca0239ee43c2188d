package dev.kindling.worker.prune;

/**
 * The smallest of some numbers that are not negative; of equal ones those with the lower index. A
 * radix selection over the bits of the numbers, whose order is theirs: two reads, no sorting.
 */
final class Smallest {
  private static final int HALF = 16;
  private static final int BUCKETS = 1 << HALF;

  /** Numbers by index. */
  @FunctionalInterface
  interface Numbers {
    /** At least 0 and no NaN. */
    float at(long index);
  }

  /** Hears the indices of what was chosen, in their order. */
  @FunctionalInterface
  interface Taker {
    void take(long index);
  }

  private Smallest() {}

  /**
   * @param count numbers there are
   * @param wanted how many to choose, at most {@code count}
   */
  static void choose(Numbers numbers, long count, long wanted, Taker taker) {
    long[] below = new long[1];
    int high = bucket(numbers, count, -1, wanted, below);
    int low = bucket(numbers, count, high, wanted - below[0], below);
    int bound = (high << HALF) | low;
    long equal = wanted - below[0];
    for (long i = 0; i < count; i++) {
      int bits = bits(numbers.at(i));
      if (bits < bound) {
        taker.take(i);
      } else if (bits == bound && equal > 0) {
        equal--;
        taker.take(i);
      }
    }
  }

  /**
   * The half word in whose bucket the last wanted number lies.
   *
   * @param high upper half of the numbers that count, -1 to sort by the upper half
   * @param below gets, added, how many numbers lie in lower buckets
   */
  private static int bucket(Numbers numbers, long count, int high, long wanted, long[] below) {
    long[] sizes = new long[BUCKETS];
    for (long i = 0; i < count; i++) {
      int bits = bits(numbers.at(i));
      if (high < 0) {
        sizes[bits >>> HALF]++;
      } else if ((bits >>> HALF) == high) {
        sizes[bits & (BUCKETS - 1)]++;
      }
    }
    long left = wanted;
    int bucket = 0;
    while (bucket < BUCKETS - 1 && sizes[bucket] < left) {
      left -= sizes[bucket];
      below[0] += sizes[bucket];
      bucket++;
    }
    return bucket;
  }

  /** Adding 0 makes -0 the zero that it is. */
  private static int bits(float number) {
    return Float.floatToRawIntBits(number + 0f);
  }
}
