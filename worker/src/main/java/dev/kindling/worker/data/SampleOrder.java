package dev.kindling.worker.data;

/**
 * The order in which a run sees the samples of a split: a pure function of (seed, epoch, index), so
 * seek costs nothing and the cursor is one integer.
 *
 * <p>Each epoch is a permutation of {@code [0, samples)}: a balanced Feistel network over the
 * smallest even number of bits that holds them, walked along its cycle until the value is below
 * {@code samples} (fewer than four steps in the mean). Luby and Rackoff 1988; cycle walking after
 * Black and Rogaway 2002. The rounds are keyed by a 64-bit mixer, which is good enough for order
 * and no cryptography.
 *
 * <p>Sample {@code n * B + j} of the run is sequence {@code j} of the global batch of step {@code
 * n}, whatever the world size; a batch may reach over the end of an epoch.
 */
public record SampleOrder(long seed, long samples) {
  private static final int ROUNDS = 6;

  public SampleOrder {
    if (samples < 1) {
      throw new IllegalArgumentException("samples: expected at least 1, found " + samples);
    }
  }

  /** The sample at place {@code position >= 0} of the whole run, counted through all epochs. */
  public long at(long position) {
    return at(position / samples, position % samples);
  }

  /** The sample at place {@code index} in {@code [0, samples)} of an epoch. */
  public long at(long epoch, long index) {
    if (index < 0 || index >= samples || epoch < 0) {
      throw new IndexOutOfBoundsException("epoch " + epoch + ", index " + index);
    }
    int half = Math.max(1, (64 - Long.numberOfLeadingZeros(samples - 1) + 1) / 2);
    long key = mix(mix(seed) ^ (epoch * 0x9e3779b97f4a7c15L));
    long value = index;
    do {
      value = permute(value, half, key);
    } while (value >= samples);
    return value;
  }

  private static long permute(long value, int half, long key) {
    long mask = (1L << half) - 1;
    long left = value >>> half;
    long right = value & mask;
    for (int round = 0; round < ROUNDS; round++) {
      long next = left ^ (mix(right + mix(key + round)) & mask);
      left = right;
      right = next;
    }
    return left << half | right;
  }

  /** Finalizer of SplitMix64 (Steele, Lea and Flood 2014). */
  static long mix(long z) {
    z += 0x9e3779b97f4a7c15L;
    z = (z ^ (z >>> 30)) * 0xbf58476d1ce4e5b9L;
    z = (z ^ (z >>> 27)) * 0x94d049bb133111ebL;
    return z ^ (z >>> 31);
  }
}
