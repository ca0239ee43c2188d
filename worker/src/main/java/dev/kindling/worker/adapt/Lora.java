package dev.kindling.worker.adapt;

import dev.kindling.kernels.graph.Expectation;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.model.Projection;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Low-rank adapters: y = x W^T + b + s drop(x) A^T B^T with W and b frozen. A [rank, in] begins
 * uniform in +-1/sqrt(in), B [out, rank] at zero, so that the first step begins at the base.
 *
 * <p>After Hu et al. 2022 (2106.09685), first values and names as peft has them; {@code rslora} as
 * Kalajdzievski 2023 (2312.03732).
 *
 * @param rank columns of B; {@code rankPattern} says otherwise for some maps
 * @param alpha scale s = alpha / rank, or alpha / sqrt(rank) with {@code rslora}
 * @param dropout share of the inputs of A that training leaves out
 * @param targets patterns of the linear maps that get an adapter, {@code all-linear} for all but
 *     the head
 * @param exclude patterns of maps that get none all the same
 * @param modulesToSave patterns of modules that are trained whole
 * @param base how the hidden matrices are kept that nobody trains
 * @param path PEFT directory at whose adapter the run begins; its adapter_config.json must say what
 *     this section says
 * @param sha256 of that directory's files; filled in when a run starts
 */
public record Lora(
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
  /** Over a base in the precision of the device. */
  public Lora(
      int rank,
      double alpha,
      boolean rslora,
      double dropout,
      List<String> targets,
      List<String> exclude,
      Map<String, Integer> rankPattern,
      Map<String, Double> alphaPattern,
      List<String> modulesToSave,
      Optional<String> path) {
    this(
        rank,
        alpha,
        rslora,
        dropout,
        targets,
        exclude,
        rankPattern,
        alphaPattern,
        modulesToSave,
        Base.PLAIN,
        path,
        Optional.empty());
  }

  public Lora {
    targets = List.copyOf(targets);
    exclude = List.copyOf(exclude);
    rankPattern = LowRank.ordered(rankPattern);
    alphaPattern = LowRank.ordered(alphaPattern);
    modulesToSave = List.copyOf(modulesToSave);
    Expectation e = new Expectation().atLeast("rank", rank, 1).positive("alpha", alpha);
    e.fraction("dropout", dropout).notEmpty("targets", targets, "a linear map or all-linear");
    rankPattern.forEach((key, value) -> e.atLeast("rank_pattern." + key, value, 1));
    alphaPattern.forEach((key, value) -> e.positive("alpha_pattern." + key, value));
    e.sha256("sha256", sha256);
    e.orThrow();
  }

  public static Map<String, Object> defaults() {
    return LowRank.defaultsWithBase();
  }

  @Override
  public Lora absolute() {
    Optional<String> place =
        path.map(name -> Path.of(name).toAbsolutePath().normalize().toString());
    return with(base, place, sha256);
  }

  /** The same over a base that is kept otherwise. */
  public Lora over(Base other) {
    return with(other, path, sha256);
  }

  /** The same with its directory known by its hash. */
  public Lora holding(String hash) {
    return with(base, path, Optional.of(hash));
  }

  private Lora with(Base otherBase, Optional<String> place, Optional<String> hash) {
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
        otherBase,
        place,
        hash);
  }

  /** The adapter of every map that gets one. */
  LowRank lowRank(BranchKind kind) {
    return new LowRank(this, kind);
  }

  @Override
  public boolean beginsAtZero() {
    return path.isEmpty();
  }

  @Override
  public Projection projection(ModelFamily model, long seed) {
    return lowRank(BranchKind.BESIDE).projection(model, seed);
  }

  @Override
  public void check(ModelFamily model, Expectation errors) {
    lowRank(BranchKind.BESIDE).check(model, errors);
  }
}
