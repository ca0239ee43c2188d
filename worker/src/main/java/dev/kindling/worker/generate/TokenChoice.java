package dev.kindling.worker.generate;

import dev.kindling.kernels.random.Philox;
import dev.kindling.worker.checkpoint.CheckpointException;
import java.util.Comparator;
import java.util.stream.IntStream;

/**
 * Draws token ids from logits. The uniform number of a draw is a counter-based function of (seed,
 * place), and the exponential is {@link StrictMath}'s: the same logits give the same text
 * everywhere.
 */
final class TokenChoice {
  private final Sampling sampling;

  TokenChoice(Sampling sampling) {
    this.sampling = sampling;
  }

  /**
   * @param logits one for each id that may be chosen
   * @param place of the token in the text, from 0
   * @throws CheckpointException if a logit is no number, which would choose the first id for ever
   */
  int pick(float[] logits, long place) {
    for (int id = 0; id < logits.length; id++) {
      if (Float.isNaN(logits[id])) {
        throw new CheckpointException(
            "token " + place + ": expected a logit of id " + id + ", found NaN: broken weights");
      }
    }
    if (sampling.temperature() == 0) {
      return mostLikely(logits);
    }
    int[] ids = descending(logits);
    int count = sampling.topK() == 0 ? ids.length : Math.min(sampling.topK(), ids.length);
    double[] weights = new double[count];
    double sum = 0;
    for (int i = 0; i < count; i++) {
      double below = (double) logits[ids[i]] - logits[ids[0]];
      weights[i] = StrictMath.exp(below / sampling.temperature());
      sum += weights[i];
    }
    return ids[draw(weights, nucleus(weights, sum), place)];
  }

  /** Ids by falling logit, the lower id first among equals. */
  private static int[] descending(float[] logits) {
    return IntStream.range(0, logits.length)
        .boxed()
        .sorted(Comparator.comparingDouble(id -> -logits[id]))
        .mapToInt(Integer::intValue)
        .toArray();
  }

  /** Weight of the smallest head of the sorted list that reaches topP. */
  private double nucleus(double[] weights, double sum) {
    double wanted = sampling.topP() * sum;
    double reached = 0;
    for (int i = 0; i < weights.length && reached < wanted; i++) {
      reached += weights[i];
    }
    return reached;
  }

  private int draw(double[] weights, double total, long place) {
    double left = Philox.uniform(sampling.seed(), place) * total;
    for (int i = 0; i < weights.length; i++) {
      left -= weights[i];
      if (left < 0) {
        return i;
      }
    }
    return 0; // Rounding ate the last weight: the most likely token.
  }

  private static int mostLikely(float[] logits) {
    int best = 0;
    for (int id = 1; id < logits.length; id++) {
      if (logits[id] > logits[best]) {
        best = id;
      }
    }
    return best;
  }
}
