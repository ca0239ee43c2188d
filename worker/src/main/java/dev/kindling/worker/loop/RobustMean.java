package dev.kindling.worker.loop;

/**
 * Running mean and deviation of a number that a spike cannot drag along: what lies far out counts
 * as if it lay at the bound. Double arithmetic in a fixed order, so that all ranks agree on every
 * bit without a message.
 */
final class RobustMean {
  /** Weight of a new value once many were seen: the mean remembers about 50. */
  private static final double WEIGHT = 0.02;

  /** Standard deviation over mean absolute deviation of a normal distribution. */
  private static final double SIGMA = 1.2533141373155003;

  /** A number that hardly moves must not make a spike of its last digits. */
  private static final double LEAST_DEVIATION = 1e-3;

  /** How far out a value counts in full, in deviations. */
  private static final double BOUND = 6.0;

  private long count;
  private double mean;
  private double deviation;

  /** Deviations above the mean of the values so far; 0 before the second. */
  double z(double value) {
    return count < 2 ? 0 : (value - mean) / sigma();
  }

  private double sigma() {
    return Math.max(SIGMA * deviation, LEAST_DEVIATION * Math.max(1, Math.abs(mean)));
  }

  void add(double value) {
    double bounded = value;
    if (count >= 2) {
      double reach = BOUND * sigma();
      bounded = Math.min(Math.max(value, mean - reach), mean + reach);
    }
    double weight = Math.max(WEIGHT, 1.0 / ++count);
    double distance = Math.abs(bounded - mean);
    mean += weight * (bounded - mean);
    if (count > 1) {
      deviation += Math.max(WEIGHT, 1.0 / (count - 1)) * (distance - deviation);
    }
  }

  /** Text that {@link #decode} reads back bit for bit. */
  String encode() {
    return count
        + " "
        + Long.toHexString(Double.doubleToRawLongBits(mean))
        + " "
        + Long.toHexString(Double.doubleToRawLongBits(deviation));
  }

  /**
   * @throws IllegalArgumentException if the text is not what {@link #encode} writes
   */
  static RobustMean decode(String text) {
    String[] words = text.split(" ", -1);
    if (words.length != 3) {
      throw new IllegalArgumentException("running mean: expected 3 words, found " + text);
    }
    RobustMean read = new RobustMean();
    read.count = Long.parseLong(words[0]);
    read.mean = Double.longBitsToDouble(Long.parseUnsignedLong(words[1], 16));
    read.deviation = Double.longBitsToDouble(Long.parseUnsignedLong(words[2], 16));
    return read;
  }
}
