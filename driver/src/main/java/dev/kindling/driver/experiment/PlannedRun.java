package dev.kindling.driver.experiment;

import dev.kindling.kernels.graph.PlanException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * One run of an experiment.
 *
 * @param name of its folder
 * @param own values by path in which it differs from its siblings
 * @param sets all its assignments: those of the experiment, then its own
 */
record PlannedRun(String name, Map<String, String> own, List<String> sets) {
  private static final int MAX_NAME = 90;

  PlannedRun {
    own = java.util.Collections.unmodifiableMap(new LinkedHashMap<>(own));
    sets = List.copyOf(sets);
  }

  /** The grid's combinations, then the listed runs. */
  static List<PlannedRun> of(ExperimentSpec spec) {
    List<PlannedRun> runs = new ArrayList<>();
    if (!spec.grid().isEmpty()) {
      combine(spec, List.copyOf(spec.grid().entrySet()), new LinkedHashMap<>(), runs);
    }
    for (Variation variation : spec.runs()) {
      Map<String, String> own = new LinkedHashMap<>();
      for (String assignment : variation.set()) {
        int equals = assignment.indexOf('=');
        own.put(
            equals < 0 ? assignment : assignment.substring(0, equals),
            assignment.substring(equals + 1));
      }
      runs.add(new PlannedRun(variation.name(), own, joined(spec.set(), variation.set())));
    }
    Set<String> names = new HashSet<>();
    for (PlannedRun run : runs) {
      if (!names.add(run.name())) {
        throw new PlanException(
            "experiment: expected runs of different names, found " + run.name() + " twice");
      }
    }
    return List.copyOf(runs);
  }

  private static void combine(
      ExperimentSpec spec,
      List<Map.Entry<String, List<String>>> axes,
      Map<String, String> chosen,
      List<PlannedRun> runs) {
    if (chosen.size() == axes.size()) {
      List<String> assignments =
          chosen.entrySet().stream().map(e -> e.getKey() + "=" + e.getValue()).toList();
      runs.add(
          new PlannedRun(name(runs.size() + 1, chosen), chosen, joined(spec.set(), assignments)));
      return;
    }
    Map.Entry<String, List<String>> axis = axes.get(chosen.size());
    for (String value : axis.getValue()) {
      Map<String, String> next = new LinkedHashMap<>(chosen);
      next.put(axis.getKey(), value);
      combine(spec, axes, next, runs);
    }
  }

  private static String name(int ordinal, Map<String, String> chosen) {
    StringBuilder name = new StringBuilder(String.format(java.util.Locale.ROOT, "%03d", ordinal));
    chosen.forEach(
        (path, value) ->
            name.append('-')
                .append(path.substring(path.lastIndexOf('.') + 1))
                .append('=')
                .append(value));
    String legal = name.toString().replaceAll("[^A-Za-z0-9._=-]", "_");
    return legal.length() > MAX_NAME ? legal.substring(0, MAX_NAME) : legal;
  }

  private static List<String> joined(List<String> first, List<String> second) {
    List<String> all = new ArrayList<>(first);
    all.addAll(second);
    return all;
  }
}
