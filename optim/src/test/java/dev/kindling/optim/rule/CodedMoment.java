package dev.kindling.optim.rule;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

/**
 * A moment of a matrix in codes of 8 bits, as Dettmers et al. 2022 (2110.02861) store it: 256
 * elements by their largest magnitude, each share of it by the nearest number of the code.
 */
final class CodedMoment {
  private static final int BLOCK = 256;

  private final MatrixBench bench;
  private final int row;
  private final double[] numbers;
  private final int count;

  /**
   * @param row 0 for the first moments, which have a sign; 1 for the second ones
   */
  CodedMoment(MatrixBench bench, int row) {
    this.bench = bench;
    this.row = row;
    numbers = AdamStateReference.numbers(row == 0);
    count = bench.weights().length;
  }

  /** Share of the block's scale that each element's code stands for. */
  private double[] shares() {
    return AdamStateReference.decoded(bench.words(bench.variables().get(row)), numbers, count);
  }

  private double scale(int block) {
    int blocks = (count + BLOCK - 1) / BLOCK;
    return bench.state(bench.variables().get(2))[row * blocks + block];
  }

  /** What the codes stand for. */
  double[] values() {
    double[] values = shares();
    for (int block = 0; block * BLOCK < count; block++) {
      double scale = scale(block);
      for (int i = block * BLOCK; i < Math.min(count, (block + 1) * BLOCK); i++) {
        values[i] *= scale;
      }
    }
    return values;
  }

  /** Checks scales and codes beside what was to be stored, known as well as the slack says. */
  void assertNearest(double[] exact, double[] slack) {
    double[] shares = shares();
    for (int block = 0; block * BLOCK < count; block++) {
      int end = Math.min(count, (block + 1) * BLOCK);
      double largest = 0;
      double unsure = 0;
      for (int i = block * BLOCK; i < end; i++) {
        largest = Math.max(largest, Math.abs(exact[i]));
        unsure = Math.max(unsure, slack[i]);
      }
      double scale = scale(block);
      assertThat(scale).as("scale %d", block).isCloseTo(largest, within(unsure)).isPositive();
      for (int i = block * BLOCK; i < end; i++) {
        double share = exact[i] / scale;
        assertThat(Math.abs(shares[i] - share))
            .as("element %d, %s of %s", i, exact[i], scale)
            .isLessThanOrEqualTo(Math.abs(nearest(share) - share) + 2 * unsure / scale);
      }
    }
  }

  private double nearest(double share) {
    double best = numbers[0];
    for (double number : numbers) {
      best = Math.abs(number - share) < Math.abs(best - share) ? number : best;
    }
    return best;
  }
}
