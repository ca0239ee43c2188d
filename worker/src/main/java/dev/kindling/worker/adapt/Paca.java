package dev.kindling.worker.adapt;

import dev.kindling.kernels.graph.Expectation;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.model.Projection;
import dev.kindling.worker.model.Weight;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Partial connections: some input columns of each weight are trained in its place, W[:, I] = W0[:,
 * I] + s delta with s = alpha / rank. Forward is the product that it is without adapter; backward
 * keeps those columns of the activations alone. delta begins at zero and weight decay draws it
 * there, so the columns towards where they began.
 *
 * <p>After Kim et al. 2025 (2503.01905); the columns are written through right after each update,
 * where the authors' code trains every second step on stale ones. Which columns is a pure function
 * of seed and name.
 *
 * @param rank columns per weight
 * @param targets patterns of the linear maps of which columns are trained, {@code all-linear} for
 *     all but the head
 * @param exclude patterns of maps of which none are
 * @param modulesToSave patterns of modules that are trained whole
 * @param base how the matrices are kept; over one of 4 bits columns begin where it unpacks to
 */
public record Paca(
    int rank,
    double alpha,
    List<String> targets,
    List<String> exclude,
    Map<String, Integer> rankPattern,
    List<String> modulesToSave,
    Base base)
    implements Adapter {
  /** Over a base in the precision of the device. */
  public Paca(
      int rank,
      double alpha,
      List<String> targets,
      List<String> exclude,
      Map<String, Integer> rankPattern,
      List<String> modulesToSave) {
    this(rank, alpha, targets, exclude, rankPattern, modulesToSave, Base.PLAIN);
  }

  public Paca {
    targets = List.copyOf(targets);
    exclude = List.copyOf(exclude);
    rankPattern = LowRank.ordered(rankPattern);
    modulesToSave = List.copyOf(modulesToSave);
    Expectation e = new Expectation().atLeast("rank", rank, 1).positive("alpha", alpha);
    e.notEmpty("targets", targets, "a linear map or all-linear");
    rankPattern.forEach((key, value) -> e.atLeast("rank_pattern." + key, value, 1));
    e.orThrow();
  }

  public static Map<String, Object> defaults() {
    return Map.of(
        "rank",
        8,
        "alpha",
        8.0,
        "targets",
        List.of(Modules.ALL_LINEAR),
        "exclude",
        List.of(),
        "rankPattern",
        Map.of(),
        "modulesToSave",
        List.of(),
        "base",
        Base.PLAIN);
  }

  /** The factors that its columns are. */
  public Lora lora() {
    return new Lora(
        rank,
        alpha,
        false,
        0,
        targets,
        exclude,
        rankPattern,
        Map.of(),
        modulesToSave,
        base,
        Optional.empty(),
        Optional.empty());
  }

  @Override
  public Projection projection(ModelFamily model, long seed) {
    Expectation errors = new Expectation();
    check(model, errors);
    Modules.orThrow(errors);
    Modules modules = Modules.of(model);
    Map<String, PartialWeight> partial = new LinkedHashMap<>();
    for (Weight target : modules.targets(targets, exclude, modulesToSave)) {
      int columns = rank(target);
      float scale = (float) (alpha / columns);
      partial.put(target.matrix().name(), PartialWeight.chosen(target, columns, scale, seed));
    }
    return new PacaProjection(FrozenWeights.of(modules, modulesToSave, base), partial);
  }

  private int rank(Weight target) {
    return Modules.patterned(rankPattern, target.name(), rank);
  }

  @Override
  public void check(ModelFamily model, Expectation errors) {
    Modules modules = Modules.of(model);
    modules.check("adapter.targets", targets, false, errors);
    modules.check("adapter.exclude", exclude, false, errors);
    modules.check("adapter.rank_pattern", rankPattern.keySet(), false, errors);
    modules.check("adapter.modules_to_save", modulesToSave, true, errors);
    if (!errors.holds()) {
      return;
    }
    List<Weight> chosen = modules.targets(targets, exclude, modulesToSave);
    errors.notEmpty("adapter.targets", chosen, "a map that nothing excludes");
    for (Weight target : chosen) {
      String expected = "at most the " + target.in() + " columns of " + target.name();
      errors.that(rank(target) <= target.in(), "adapter.rank", expected, rank(target));
    }
  }
}
