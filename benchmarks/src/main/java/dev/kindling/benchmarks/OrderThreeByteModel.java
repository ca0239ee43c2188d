package dev.kindling.benchmarks;

/**
 * A byte model of the three bytes before: counts of orders 0 to 3, interpolated from the uniform
 * guess upwards with Witten and Bell's weights (1991): an order that saw its context {@code n}
 * times with {@code d} different followers is trusted {@code n / (n + d)}. What a small network has
 * to beat to have learnt more than short-range statistics.
 *
 * <p>Order 3 is an open-addressed table of 64-bit keys; one entry for each four bytes that occur.
 */
final class OrderThreeByteModel {
  private static final int ORDERS = 4;

  /** Per order: context and byte to count; context to total; context to number of followers. */
  private final Counts[] pairs = new Counts[ORDERS];

  private final Counts[] totals = new Counts[ORDERS];
  private final Counts[] followers = new Counts[ORDERS];

  OrderThreeByteModel() {
    for (int order = 0; order < ORDERS; order++) {
      pairs[order] = new Counts();
      totals[order] = new Counts();
      followers[order] = new Counts();
    }
  }

  /**
   * Counts one byte.
   *
   * @param history the three bytes before, the nearest lowest: {@code b[-3] << 16 | b[-2] << 8 |
   *     b[-1]}
   */
  void learn(int history, int next) {
    for (int order = 0; order < ORDERS; order++) {
      long context = context(history, order);
      totals[order].add(context);
      if (pairs[order].add(context << 8 | next) == 1) {
        followers[order].add(context);
      }
    }
  }

  /** Probability of a byte; positive, and the sum over all 256 is 1. */
  double probability(int history, int next) {
    double probability = 1.0 / 256;
    for (int order = 0; order < ORDERS; order++) {
      long context = context(history, order);
      long total = totals[order].get(context);
      if (total == 0) {
        return probability;
      }
      double different = followers[order].get(context);
      double seen = pairs[order].get(context << 8 | next);
      probability = (seen + different * probability) / (total + different);
    }
    return probability;
  }

  private static long context(int history, int order) {
    return history & ((1L << (8 * order)) - 1);
  }

  /** Long to count; keys are stored plus one, 0 is free. */
  private static final class Counts {
    private long[] keys = new long[1 << 10];
    private int[] counts = new int[1 << 10];
    private int used;

    int add(long key) {
      if (2 * used >= keys.length) {
        grow();
      }
      int slot = slot(keys, key + 1);
      if (keys[slot] == 0) {
        keys[slot] = key + 1;
        used++;
      }
      return ++counts[slot];
    }

    int get(long key) {
      return counts[slot(keys, key + 1)];
    }

    private static int slot(long[] keys, long stored) {
      int slot = (int) ((stored * 0x9e3779b97f4a7c15L) >>> 32) & (keys.length - 1);
      while (keys[slot] != 0 && keys[slot] != stored) {
        slot = (slot + 1) & (keys.length - 1);
      }
      return slot;
    }

    private void grow() {
      long[] old = keys;
      int[] oldCounts = counts;
      keys = new long[2 * old.length];
      counts = new int[2 * old.length];
      for (int k = 0; k < old.length; k++) {
        if (old[k] != 0) {
          int slot = slot(keys, old[k]);
          keys[slot] = old[k];
          counts[slot] = oldCounts[k];
        }
      }
    }
  }
}
