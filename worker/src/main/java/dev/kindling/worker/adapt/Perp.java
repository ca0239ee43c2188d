package dev.kindling.worker.adapt;

import dev.kindling.kernels.graph.Expectation;
import dev.kindling.kernels.graph.Param;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.model.Projection;
import dev.kindling.worker.model.Weight;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * What little of a pruned model is trained to win back what pruning lost: all biases and gains of
 * norms, and, where their ranks are above 0, a {@link MaskLora} of linear maps and a {@link Lora}
 * of the head. Zeros stay zero, also when it is merged.
 *
 * <p>After Zimmer et al. 2023 (PERP, 2312.15230).
 *
 * @param rank of the masked factors of linear maps, 0 for none
 * @param headRank of the factors of the head, 0 for none; not for a head that is the embedding
 *     table
 * @param alpha scale s = alpha / rank of both, or alpha / sqrt(rank) with {@code rslora}
 * @param targets patterns of the linear maps that get masked factors, {@code all-linear} for all
 *     but the head
 * @param exclude patterns of maps that get none all the same
 */
public record Perp(
    int rank,
    int headRank,
    double alpha,
    boolean rslora,
    List<String> targets,
    List<String> exclude)
    implements Adapter {
  public Perp {
    targets = List.copyOf(targets);
    exclude = List.copyOf(exclude);
    new Expectation()
        .atLeast("rank", rank, 0)
        .atLeast("head_rank", headRank, 0)
        .positive("alpha", alpha)
        .notEmpty("targets", targets, "a linear map or all-linear")
        .orThrow();
  }

  public static Map<String, Object> defaults() {
    return Map.of(
        "rank",
        0,
        "headRank",
        0,
        "alpha",
        8.0,
        "rslora",
        false,
        "targets",
        List.of(Modules.ALL_LINEAR),
        "exclude",
        List.of());
  }

  private LowRank branches(int wanted, List<String> maps, List<String> but, BranchKind kind) {
    Lora factors =
        new Lora(
            wanted, alpha, rslora, 0, maps, but, Map.of(), Map.of(), List.of(), Optional.empty());
    return new LowRank(factors, kind);
  }

  private LowRank masked() {
    return branches(rank, targets, exclude, BranchKind.MASKED);
  }

  private LowRank ofHead() {
    return branches(headRank, List.of(Weight.HEAD), List.of(), BranchKind.BESIDE);
  }

  @Override
  public boolean beginsAtZero() {
    return rank > 0 || headRank > 0;
  }

  @Override
  public Projection projection(ModelFamily model, long seed) {
    Expectation errors = new Expectation();
    check(model, errors);
    Modules.orThrow(errors);
    Map<String, Branch> all = new LinkedHashMap<>();
    if (rank > 0) {
      all.putAll(masked().branches(Modules.of(model)));
    }
    if (headRank > 0) {
      all.putAll(ofHead().branches(Modules.of(model)));
    }
    return new LowRankProjection(new FrozenWeights(vectors(model), Map.of()), all, 0f, seed);
  }

  /** Biases and gains: what has one dimension. */
  private static Set<String> vectors(ModelFamily model) {
    return Modules.of(model).params().stream()
        .filter(param -> param.shape().rank() == 1)
        .map(Param::name)
        .collect(Collectors.toUnmodifiableSet());
  }

  @Override
  public void check(ModelFamily model, Expectation errors) {
    if (rank > 0) {
      masked().check(model, errors);
    }
    boolean own = Modules.of(model).maps().stream().anyMatch(m -> m.name().equals(Weight.HEAD));
    if (headRank > 0 && !own) {
      errors.that(false, "adapter.head_rank", "0 for a head that is the embeddings", headRank);
    } else if (headRank > 0) {
      ofHead().check(model, errors);
    }
  }
}
