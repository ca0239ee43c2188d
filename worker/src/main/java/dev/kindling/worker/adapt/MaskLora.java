package dev.kindling.worker.adapt;

import dev.kindling.kernels.graph.Expectation;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.model.Projection;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Low-rank adapters of pruned weights: y = x V^T + b with V = W + s (W != 0) (.) (B A), where W and
 * b are frozen. What is zero in W is zero in V, so merging keeps every pruned weight at zero and
 * changes no result. A and B begin as {@link Lora}'s do.
 *
 * <p>After Zimmer et al. 2023 (PERP, 2312.15230), MaskLoRA. The gradient of a factor needs that of
 * the whole matrix, so a step takes the products of full training; memory of one matrix at a time.
 *
 * @param rank as {@link Lora}, like all others
 * @param dropout must be 0: a product with a mask between its factors has no branch to drop from
 */
public record MaskLora(
    int rank,
    double alpha,
    boolean rslora,
    double dropout,
    List<String> targets,
    List<String> exclude,
    Map<String, Integer> rankPattern,
    Map<String, Double> alphaPattern,
    List<String> modulesToSave)
    implements Adapter {
  public MaskLora {
    new Expectation()
        .that(dropout == 0, "dropout", "0 with mask_lora (its branch has no input)", dropout)
        .orThrow();
    Lora same =
        new Lora(
            rank,
            alpha,
            rslora,
            0,
            targets,
            exclude,
            rankPattern,
            alphaPattern,
            modulesToSave,
            Optional.empty());
    targets = same.targets();
    exclude = same.exclude();
    rankPattern = same.rankPattern();
    alphaPattern = same.alphaPattern();
    modulesToSave = same.modulesToSave();
  }

  public static Map<String, Object> defaults() {
    return LowRank.DEFAULTS;
  }

  private LowRank lowRank() {
    Lora same =
        new Lora(
            rank,
            alpha,
            rslora,
            0,
            targets,
            exclude,
            rankPattern,
            alphaPattern,
            modulesToSave,
            Optional.empty());
    return new LowRank(same, BranchKind.MASKED);
  }

  @Override
  public boolean beginsAtZero() {
    return true;
  }

  @Override
  public Projection projection(ModelFamily model, long seed) {
    return lowRank().projection(model, seed);
  }

  @Override
  public void check(ModelFamily model, Expectation errors) {
    lowRank().check(model, errors);
  }
}
