package dev.kindling.worker.adapt;

import dev.kindling.kernels.graph.Expectation;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.model.Weight;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What {@link Lora}, {@link Dora}, {@link MaskLora} and {@link Perp} share.
 *
 * @param kind of all branches
 */
record LowRank(Lora spec, BranchKind kind) {
  static final Map<String, Object> DEFAULTS =
      Map.of(
          "rank",
          8,
          "alpha",
          8.0,
          "rslora",
          false,
          "dropout",
          0.0,
          "targets",
          List.of(Modules.ALL_LINEAR),
          "exclude",
          List.of(),
          "rankPattern",
          Map.of(),
          "alphaPattern",
          Map.of(),
          "modulesToSave",
          List.of());

  /** Of the adapters whose base may be packed; a mask needs zeros, which NF4 does not keep. */
  static Map<String, Object> defaultsWithBase() {
    Map<String, Object> all = new HashMap<>(DEFAULTS);
    all.put("base", Base.PLAIN);
    return all;
  }

  /** The first pattern that matches counts, so their order is kept. */
  static <T> Map<String, T> ordered(Map<String, T> patterns) {
    return Collections.unmodifiableMap(new LinkedHashMap<>(patterns));
  }

  LowRankProjection projection(ModelFamily model, long seed) {
    Expectation errors = new Expectation();
    check(model, errors);
    Modules.orThrow(errors);
    Modules modules = Modules.of(model);
    FrozenWeights base = FrozenWeights.of(modules, spec.modulesToSave(), spec.base());
    return new LowRankProjection(base, branches(modules), (float) spec.dropout(), seed);
  }

  /** By the name of the linear map, in the order of the model. */
  Map<String, Branch> branches(Modules modules) {
    Map<String, Branch> branches = new LinkedHashMap<>();
    for (Weight target : targets(modules)) {
      branches.put(target.name(), branch(target));
    }
    return branches;
  }

  private List<Weight> targets(Modules modules) {
    return modules.targets(spec.targets(), spec.exclude(), spec.modulesToSave());
  }

  private Branch branch(Weight target) {
    int rank = rank(target);
    double alpha = Modules.patterned(spec.alphaPattern(), target.name(), spec.alpha());
    double scale = alpha / (spec.rslora() ? Math.sqrt(rank) : rank);
    return new Branch(target, rank, (float) scale, kind);
  }

  private int rank(Weight target) {
    return Modules.patterned(spec.rankPattern(), target.name(), spec.rank());
  }

  void check(ModelFamily model, Expectation errors) {
    Modules modules = Modules.of(model);
    modules.check("adapter.targets", spec.targets(), false, errors);
    modules.check("adapter.exclude", spec.exclude(), false, errors);
    modules.check("adapter.rank_pattern", spec.rankPattern().keySet(), false, errors);
    modules.check("adapter.alpha_pattern", spec.alphaPattern().keySet(), false, errors);
    modules.check("adapter.modules_to_save", spec.modulesToSave(), true, errors);
    if (!errors.holds()) {
      return;
    }
    List<Weight> targets = targets(modules);
    errors.notEmpty("adapter.targets", targets, "a map that nothing excludes");
    for (Weight target : targets) {
      int most = Math.min(target.in(), target.out());
      String expected =
          "at most " + most + " for " + target.name() + " [" + target.out() + ", " + target.in();
      errors.that(rank(target) <= most, "adapter.rank", expected + "]", rank(target));
    }
  }
}
