package dev.kindling.driver.compare;

import dev.kindling.kernels.graph.PlanException;
import dev.kindling.worker.checkpoint.CheckpointException;
import dev.kindling.worker.checkpoint.Generation;
import dev.kindling.worker.checkpoint.GenerationDiff;
import dev.kindling.worker.ledger.LedgerStep;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.SortedSet;
import java.util.TreeSet;

/**
 * The first difference of two runs.
 *
 * @param lines what to tell
 */
public record RunDiff(boolean same, List<String> lines) {
  public RunDiff {
    lines = List.copyOf(lines);
  }

  /**
   * @throws PlanException if a folder holds no run, or they have nothing in common to compare
   * @throws CheckpointException if a ledger was changed, or no checkpoint of a common step is whole
   */
  public static RunDiff of(Path left, Path right) throws IOException {
    RunTrace ours = RunTrace.read(left);
    RunTrace theirs = RunTrace.read(right);
    List<String> lines = new ArrayList<>();
    SortedSet<Long> steps = common(ours.steps().keySet(), theirs.steps().keySet());
    SortedSet<Long> saved = common(ours.commits().keySet(), theirs.commits().keySet());
    if (steps.isEmpty() && saved.isEmpty()) {
      throw new PlanException(
          "expected runs with a step or a checkpoint in common, found none in "
              + left
              + " and "
              + right);
    }
    boolean same = sameSteps(ours, theirs, steps, lines);
    same &= sameTensors(ours, theirs, saved, lines);
    return new RunDiff(same, lines);
  }

  private static SortedSet<Long> common(
      java.util.Collection<Long> ours, java.util.Collection<Long> theirs) {
    SortedSet<Long> both = new TreeSet<>(ours);
    both.retainAll(theirs);
    return both;
  }

  private static boolean sameSteps(
      RunTrace ours, RunTrace theirs, SortedSet<Long> steps, List<String> lines) {
    String sources =
        ours.source().equals(theirs.source())
            ? ours.source()
            : ours.source() + " and " + theirs.source();
    for (long step : steps) {
      LedgerStep a = java.util.Objects.requireNonNull(ours.steps().get(step));
      String difference = a.difference(java.util.Objects.requireNonNull(theirs.steps().get(step)));
      if (!difference.isEmpty()) {
        lines.add("first differing step: " + step + " (" + sources + "): " + difference);
        return false;
      }
    }
    if (!steps.isEmpty()) {
      lines.add(
          "steps "
              + steps.first()
              + " to "
              + steps.last()
              + ": no difference in "
              + steps.size()
              + " steps ("
              + sources
              + ")");
    }
    return true;
  }

  /** Checkpoints of the same step, the earliest first: a difference spreads with every step. */
  private static boolean sameTensors(
      RunTrace ours, RunTrace theirs, SortedSet<Long> saved, List<String> lines) {
    boolean same = true;
    int compared = 0;
    for (long step : saved) {
      Optional<Generation> a = ours.generation(commit(ours, step), lines);
      Optional<Generation> b = theirs.generation(commit(theirs, step), lines);
      if (a.isPresent() && b.isPresent() && same) {
        GenerationDiff diff =
            GenerationDiff.of(
                new GenerationDiff.Side(ours.store(), a.get()),
                new GenerationDiff.Side(theirs.store(), b.get()));
        compared++;
        same = diff.same();
        lines.add("checkpoints of step " + step + ": " + describe(diff));
      }
    }
    if (compared == 0 && !saved.isEmpty()) {
      throw new CheckpointException(String.join("\n", lines));
    }
    if (saved.isEmpty()) {
      lines.add("no checkpoints of a common step");
    }
    return same;
  }

  private static String commit(RunTrace trace, long step) {
    return java.util.Objects.requireNonNull(trace.commits().get(step));
  }

  private static String describe(GenerationDiff diff) {
    if (diff.same()) {
      return "no difference in " + diff.tensors() + " tensors";
    }
    return diff.first()
        .map(
            first ->
                diff.differing() + " of " + diff.tensors() + " tensors differ; first: " + first)
        .orElse("equal tensors; cursor, guards or ledger differ");
  }
}
