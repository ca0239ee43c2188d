package dev.kindling.kernels.backend.cuda;

import dev.kindling.kernels.graph.AttentionShape;
import dev.kindling.kernels.testing.DeviceCase;
import dev.kindling.kernels.testing.PlainAttention;
import java.util.SplittableRandom;

/** Inputs of one attention, numbers that bf16 holds; segments are null without documents. */
record AttentionInputs(double[] q, double[] k, double[] v, double[] dO, double[] segments) {
  static final long SEED = Long.getLong("seed", 41L);

  static AttentionInputs random(
      AttentionShape shape, int sequences, boolean documents, boolean outliers) {
    SplittableRandom random = new SplittableRandom(SEED);
    int tokens = sequences * shape.sequence();
    int wide = tokens * shape.heads() * shape.headDim();
    int narrow = tokens * shape.kvHeads() * shape.headDim();
    double[] segments = new double[tokens];
    for (int t = 1; t < tokens; t++) {
      segments[t] = segments[t - 1] + (random.nextInt(40) == 0 ? 1 : 0);
    }
    return new AttentionInputs(
        normal(random, wide, outliers),
        normal(random, narrow, outliers),
        normal(random, narrow, outliers),
        normal(random, wide, outliers),
        documents ? segments : null);
  }

  /** N(0, 1), with outliers + N(0, 100) at one place in a thousand. */
  private static double[] normal(SplittableRandom random, int count, boolean outliers) {
    double[] values = new double[count];
    for (int i = 0; i < count; i++) {
      double value = gaussian(random);
      if (outliers && random.nextInt(1000) == 0) {
        value += 10 * gaussian(random);
      }
      values[i] = DeviceCase.rounded(value);
    }
    return values;
  }

  private static double gaussian(SplittableRandom random) {
    double radius = Math.sqrt(-2 * Math.log(1 - random.nextDouble()));
    return radius * Math.cos(2 * Math.PI * random.nextDouble());
  }

  PlainAttention.Result plainly(AttentionShape shape, boolean rounds) {
    return new PlainAttention(shape, segments, rounds).evaluate(q, k, v, dO);
  }

  PlainAttention.Result on(AttentionRun run) {
    return run.evaluate(q, k, v, dO, segments);
  }
}
