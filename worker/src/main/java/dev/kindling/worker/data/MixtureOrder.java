package dev.kindling.worker.data;

import java.util.Arrays;
import java.util.List;

/**
 * The order in which a run sees the samples of a mixture, like {@link SampleOrder} a pure function
 * of seed and place, so seek costs nothing and the number of ranks means nothing.
 *
 * <p>Parts take turns in a pattern of {@link #PERIOD} places that repeats: each gets its share of
 * them (largest remainders, at least one), spread so that after any number of places no part is
 * further than one sample from its share. The n-th sample of a part is the n-th of its own order
 * over all epochs, so each of its samples comes once in each of its epochs.
 */
public final class MixtureOrder {
  static final int PERIOD = 1000;

  private final SampleOrder[] orders;
  private final long[] firsts;
  private final int[] counts;

  /** The part at a place of the pattern and which of the part's places it is. */
  private final int[] partAt = new int[PERIOD];

  private final int[] turnAt = new int[PERIOD];

  /**
   * @param shares weights and numbers of sequences, in the order in which the set holds them
   */
  public MixtureOrder(long seed, List<Manifest.Share> shares) {
    int parts = shares.size();
    orders = new SampleOrder[parts];
    firsts = new long[parts];
    double[] weights = new double[parts];
    long first = 0;
    for (int k = 0; k < parts; k++) {
      // Parts of equal size must not walk through their samples in step.
      orders[k] = new SampleOrder(SampleOrder.mix(seed + k), shares.get(k).sequences());
      firsts[k] = first;
      first += shares.get(k).sequences();
      weights[k] = shares.get(k).weight();
    }
    counts = counts(weights);
    int[] given = new int[parts];
    for (int place = 0; place < PERIOD; place++) {
      int next = mostBehind(given, place + 1);
      partAt[place] = next;
      turnAt[place] = given[next]++;
    }
  }

  /** The sample at place {@code position >= 0} of the whole run. */
  public long at(long position) {
    int place = (int) (position % PERIOD);
    int part = partAt[place];
    long turn = position / PERIOD * counts[part] + turnAt[place];
    return firsts[part] + orders[part].at(turn);
  }

  private int mostBehind(int[] given, int places) {
    int next = 0;
    long most = Long.MIN_VALUE;
    for (int k = 0; k < given.length; k++) {
      long behind = (long) counts[k] * places - (long) given[k] * PERIOD;
      if (given[k] < counts[k] && behind > most) {
        most = behind;
        next = k;
      }
    }
    return next;
  }

  private static int[] counts(double[] weights) {
    double sum = Arrays.stream(weights).sum();
    int[] counts = new int[weights.length];
    int left = PERIOD;
    for (int k = 0; k < counts.length; k++) {
      counts[k] = Math.max(1, (int) (PERIOD * weights[k] / sum));
      left -= counts[k];
    }
    while (left != 0) {
      int most = 0;
      for (int k = 1; k < counts.length; k++) {
        double lacks = PERIOD * weights[k] / sum - counts[k];
        double lacking = PERIOD * weights[most] / sum - counts[most];
        boolean shrinks = left < 0 && counts[k] > 1 && (counts[most] == 1 || lacks < lacking);
        most = (left > 0 && lacks > lacking) || shrinks ? k : most;
      }
      counts[most] += Integer.signum(left);
      left -= Integer.signum(left);
    }
    return counts;
  }
}
