package dev.kindling.benchmarks;

import dev.kindling.worker.event.report.MetricsLog;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** What killed runs add up to. */
final class KillFigures {
  private static final double RECOVERY_MILLIS = 5_000;

  private final Map<String, Integer> victims = new TreeMap<>();
  private final Map<String, Long> differences = new LinkedHashMap<>();
  private final List<Double> recomputed = new ArrayList<>();
  private final List<Double> seconds = new ArrayList<>();
  private int inSave;
  private int missed;
  private int commandsFailed;

  /** How long steps and saves of a run took that nobody disturbed. */
  static KilledRun.KillTimes times(Path calm) throws IOException {
    List<Double> steps =
        MetricsLog.read(calm.resolve("metrics.jsonl")).byStep().values().stream()
            .map(line -> MetricsLog.number(line, "step_ms"))
            .toList();
    double save = median(new RunWatch(calm).saveMillis());
    require(save >= 0, calm + "/history.jsonl: expected checkpoints, found none");
    return new KilledRun.KillTimes(median(steps), save, RECOVERY_MILLIS);
  }

  /**
   * @param planned kills that the run should have met
   */
  void add(int planned, KilledRun run, RunComparison comparison) {
    for (KilledRun.Kill kill : run.kills()) {
      victims.merge(kill.victim(), 1, Integer::sum);
      inSave += kill.inSave() ? 1 : 0;
      if (kill.seconds() >= 0) {
        seconds.add(kill.seconds());
        recomputed.add((double) kill.recomputed());
      }
    }
    missed += planned - run.kills().size();
    commandsFailed += run.commandsFailed();
    comparison.counts().forEach((kind, count) -> differences.merge(kind, count, Long::sum));
  }

  /**
   * Adds all figures, then throws if any of them is a failure.
   *
   * @param name first word of the names
   */
  void report(Results results, String name) {
    victims.forEach((victim, count) -> results.add(name + ".kills." + victim, count, "count"));
    results.add(name + ".kills.in_a_save", inSave, "count");
    results.add(name + ".kills.missed", missed, "count");
    differences.forEach((kind, count) -> results.add(name + ".differ." + kind, count, "count"));
    results.add(name + ".commands_failed", commandsFailed, "count");
    results.add(name + ".steps_recomputed_median", median(recomputed), "count");
    results.add(name + ".steps_recomputed_most", most(recomputed), "count");
    results.add(name + ".back_at_work_median", median(seconds), "s");
    results.add(name + ".back_at_work_most", most(seconds), "s");
    require(differing() == 0, differing() + " differences");
    require(missed == 0, missed + " kills came too late");
    require(commandsFailed == 0, commandsFailed + " commands failed by themselves");
  }

  private long differing() {
    return differences.values().stream().mapToLong(Long::longValue).sum();
  }

  static double median(List<Double> values) {
    List<Double> sorted = values.stream().sorted().toList();
    return sorted.isEmpty() ? Double.NaN : sorted.get(sorted.size() / 2);
  }

  private static double most(List<Double> values) {
    return values.stream().mapToDouble(Double::doubleValue).max().orElse(Double.NaN);
  }

  static void require(boolean holds, String what) {
    if (!holds) {
      throw new IllegalStateException(what);
    }
  }

  @Override
  public String toString() {
    return victims
        + " killed so far, "
        + differing()
        + " differences, "
        + missed
        + " missed, "
        + commandsFailed
        + " commands failed";
  }
}
