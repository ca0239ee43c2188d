package dev.kindling.driver.experiment;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * An experiment file.
 *
 * @param config the configuration that all runs share; a relative path starts at the experiment
 *     file's folder
 * @param folder where the runs and the tables go; default {@code runs/NAME} after the experiment
 *     file
 * @param set {@code path=value} assignments of all runs
 * @param grid values by path; every combination is a run, the last path changing fastest
 * @param runs further runs by name
 * @param parallel runs at a time; 0 = as many as the cores of this machine allow, or its GPUs: then
 *     each run has its own
 */
public record ExperimentSpec(
    String config,
    Optional<String> folder,
    List<String> set,
    Map<String, List<String>> grid,
    List<Variation> runs,
    int parallel) {
  private static final int MAX_RUNS = 10_000;

  public ExperimentSpec {
    set = List.copyOf(set);
    runs = List.copyOf(runs);
    grid = java.util.Collections.unmodifiableMap(new LinkedHashMap<>(grid));
    if (grid.isEmpty() && runs.isEmpty()) {
      throw new IllegalArgumentException("grid: expected a grid or runs, found neither");
    }
    long combinations = 1;
    for (Map.Entry<String, List<String>> axis : grid.entrySet()) {
      combinations *= axis.getValue().size();
      if (axis.getValue().isEmpty() || combinations > MAX_RUNS) {
        throw new IllegalArgumentException(
            "grid."
                + axis.getKey()
                + ": expected 1 to "
                + MAX_RUNS
                + " combinations, found "
                + combinations);
      }
    }
    if (parallel < 0) {
      throw new IllegalArgumentException("parallel: expected 0 or more, found " + parallel);
    }
  }

  public static Map<String, Object> defaults() {
    return Map.of("set", List.of(), "grid", Map.of(), "runs", List.of(), "parallel", 0);
  }
}
