package dev.kindling.worker.plan;

import dev.kindling.configs.yaml.RecordRenderer;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.optim.schedule.Constant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * One key that differs between a run's configuration and the one it shall be resumed with.
 *
 * @param path YAML path of the key
 * @param before value so far, as YAML; {@code (absent)} if the key did not exist
 * @param after new value
 */
public record PlanChange(String path, String before, String after, Verdict verdict) {
  /** What a change of the key means. */
  public enum Verdict {
    /** Same loss bits for the steps that both configurations have. */
    HARMLESS,
    /** Allowed, but the loss bits of later steps may differ. */
    CHANGES_BITS,
    /** Another experiment: needs {@code --accept-change}. */
    NEEDS_CONSENT
  }

  private static final Set<String> HARMLESS =
      Set.of(
          "checkpoint",
          "recovery",
          "validation",
          "log",
          "spark",
          "launcher",
          "data.cache",
          // A directory that was moved: what it held when the run began is in model.sha256.
          "model.path",
          "guard.hash_every_steps");

  /** Places of inputs, harmless where the key beside them says what they hold. */
  private static final Map<String, String> HASHES =
      Map.of(
          "adapter.path",
          "adapter.sha256",
          "optimizer.objective.questions",
          "optimizer.objective.sha256");

  private static final String ABSENT = "(absent)";

  @Override
  public String toString() {
    return path + ": was " + before + ", now " + after;
  }

  /** Every differing key, in the order of the new configuration; keys that are gone come last. */
  public static List<PlanChange> compare(TrainPlan before, TrainPlan after) {
    Map<String, String> old = RecordRenderer.leaves(before);
    Map<String, String> fresh = RecordRenderer.leaves(after);
    Set<String> paths = new LinkedHashSet<>(fresh.keySet());
    paths.addAll(old.keySet());
    List<PlanChange> changes = new ArrayList<>();
    for (String path : paths) {
      String was = old.getOrDefault(path, ABSENT);
      String now = fresh.getOrDefault(path, ABSENT);
      if (!was.equals(now)) {
        changes.add(new PlanChange(path, was, now, verdict(path, before, after)));
      }
    }
    return changes;
  }

  private static Verdict verdict(String path, TrainPlan before, TrainPlan after) {
    if (HARMLESS.stream().anyMatch(key -> covers(key, path))) {
      return Verdict.HARMLESS;
    }
    String hash = HASHES.get(path);
    if (hash != null
        && RecordRenderer.leaves(before).containsKey(hash)
        && RecordRenderer.leaves(after).containsKey(hash)) {
      return Verdict.HARMLESS;
    }
    if (covers("memory", path)) {
      // On a GPU what is computed again from stored bf16 may round once more; chunks sum in parts.
      return Verdict.CHANGES_BITS;
    }
    if (path.equals("steps")) {
      // Every other schedule is stretched over the new number of steps, the next step on.
      return after.schedule() instanceof Constant ? Verdict.HARMLESS : Verdict.CHANGES_BITS;
    }
    if (path.equals("mesh.zero") || covers("guard", path)) {
      return Verdict.CHANGES_BITS;
    }
    if (path.equals("ranks") || path.equals("threads")) {
      boolean exact =
          before.determinism() == Determinism.EXACT && after.determinism() == Determinism.EXACT;
      return exact ? Verdict.HARMLESS : Verdict.CHANGES_BITS;
    }
    return Verdict.NEEDS_CONSENT;
  }

  /** Everything that decides the loss bits of a plan's steps, as text. */
  public static String trajectory(TrainPlan plan) {
    StringBuilder text = new StringBuilder();
    RecordRenderer.leaves(plan)
        .forEach(
            (path, value) -> {
              if (verdict(path, plan, plan) != Verdict.HARMLESS) {
                text.append(path).append(": ").append(value).append('\n');
              }
            });
    return text.toString();
  }

  private static boolean covers(String key, String path) {
    return path.equals(key) || path.startsWith(key + ".");
  }

  /**
   * Checks a resume.
   *
   * @param accepted keys of {@code --accept-change}; a section accepts all keys below it
   * @return warnings to print, one line each
   * @throws PlanException with one line for each changed key that needs consent
   */
  public static List<String> check(TrainPlan before, TrainPlan after, Collection<String> accepted) {
    List<String> refused = new ArrayList<>();
    List<String> warnings = new ArrayList<>();
    for (PlanChange change : compare(before, after)) {
      boolean consent = accepted.stream().anyMatch(key -> covers(key, change.path()));
      if (change.verdict() == Verdict.CHANGES_BITS) {
        warnings.add(change + " (trajectory not bit-identical from here on)");
      } else if (change.verdict() == Verdict.NEEDS_CONSENT && consent) {
        warnings.add(change + " (accepted; trajectory not bit-identical from here on)");
      } else if (change.verdict() == Verdict.NEEDS_CONSENT) {
        refused.add(change + " (add --accept-change " + change.path() + " to go on with it)");
      }
    }
    if (!refused.isEmpty()) {
      throw new PlanException(
          "a resumed run may change steps, intervals, logging, launcher, ranks, threads, memory, guard"
              + " and mesh.zero only:\n"
              + "  "
              + String.join("\n  ", refused));
    }
    return warnings;
  }
}
