package dev.kindling.worker.adapt;

import dev.kindling.kernels.graph.Expectation;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.model.Projection;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * LoRA with a trained length of every output row: with V = W + s B A, y = m / |V| * (x V^T) + b row
 * by row, where drop(x) takes the place of x in the branch alone and backward takes |V| as a
 * constant. m [out] begins at the row norms of W.
 *
 * <p>After Liu et al. 2024 (2402.09353), section 4. peft drops parts of x in the product with W
 * too, so with dropout the two differ.
 *
 * @param rank as {@link Lora}, like all others
 */
public record Dora(
    int rank,
    double alpha,
    boolean rslora,
    double dropout,
    List<String> targets,
    List<String> exclude,
    Map<String, Integer> rankPattern,
    Map<String, Double> alphaPattern,
    List<String> modulesToSave,
    Base base,
    Optional<String> path,
    Optional<String> sha256)
    implements Adapter {
  public Dora {
    Lora same =
        new Lora(
            rank,
            alpha,
            rslora,
            dropout,
            targets,
            exclude,
            rankPattern,
            alphaPattern,
            modulesToSave,
            base,
            path,
            sha256);
    targets = same.targets();
    exclude = same.exclude();
    rankPattern = same.rankPattern();
    alphaPattern = same.alphaPattern();
    modulesToSave = same.modulesToSave();
  }

  public static Map<String, Object> defaults() {
    return LowRank.defaultsWithBase();
  }

  @Override
  public Dora absolute() {
    return of(lora().absolute());
  }

  /** The same with magnitudes. */
  public static Dora of(Lora same) {
    return new Dora(
        same.rank(),
        same.alpha(),
        same.rslora(),
        same.dropout(),
        same.targets(),
        same.exclude(),
        same.rankPattern(),
        same.alphaPattern(),
        same.modulesToSave(),
        same.base(),
        same.path(),
        same.sha256());
  }

  /** The same without magnitudes. */
  public Lora lora() {
    return new Lora(
        rank,
        alpha,
        rslora,
        dropout,
        targets,
        exclude,
        rankPattern,
        alphaPattern,
        modulesToSave,
        base,
        path,
        sha256);
  }

  @Override
  public boolean beginsAtZero() {
    return path.isEmpty();
  }

  @Override
  public Projection projection(ModelFamily model, long seed) {
    return lora().lowRank(BranchKind.LENGTHENED).projection(model, seed);
  }

  @Override
  public void check(ModelFamily model, Expectation errors) {
    lora().lowRank(BranchKind.LENGTHENED).check(model, errors);
  }
}
