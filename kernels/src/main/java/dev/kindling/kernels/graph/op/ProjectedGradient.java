package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/**
 * Slopes of the mean loss along the directions of a step, from the loss sums of all ranks:
 *
 * <pre>
 * L+_j = sum over ranks of S+_j / N,  N = sum over ranks of N_w;   g_j = (L+_j - L-_j) / (2 eps)
 * </pre>
 *
 * Input: of each rank, in rank order, sums S+_0, S-_0, S+_1, ... as pairs of {@link AddLoss}, its
 * token count, its stop votes: [ranks (4 n + 2)] -> g [n], scale [1], lossSum [1], tokenCount [1],
 * norm [1], stopVotes [1]. scale = 1 / N; lossSum is the mean of all sums, norm the root of the
 * mean of g_j^2. Sums, differences and quotients in fp64, ranks in order: equal bits on all ranks.
 *
 * <p>Where a loss is not finite or no token counts, all g and the scale are 0: the step is skipped.
 * A g of 0 with another scale is an ordinary step. After Malladi et al. 2023 (2305.17333),
 * definition 1, and for ranks by sums instead of means, so that shards may be unequal or empty.
 *
 * @param eps half the distance between the two points
 * @param directions n
 */
public record ProjectedGradient(float eps, int directions, int ranks) implements Op {
  /** Values of one rank for so many directions; the last two are token count and stop votes. */
  public static int valuesPerRank(int directions) {
    return 4 * directions + 2;
  }

  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.count(this, inputs, 1);
    Expect.that(
        directions > 0 && ranks > 0 && eps > 0, this, "expected positive eps, directions, ranks");
    Expect.f32(this, inputs, 0, ranks * valuesPerRank(directions));
    ValueType one = ValueType.f32(1);
    return List.of(ValueType.f32(directions), one, one, one, one, one);
  }
}
