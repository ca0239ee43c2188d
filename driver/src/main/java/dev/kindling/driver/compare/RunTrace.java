package dev.kindling.driver.compare;

import dev.kindling.kernels.graph.PlanException;
import dev.kindling.worker.checkpoint.CheckpointException;
import dev.kindling.worker.checkpoint.CheckpointStore;
import dev.kindling.worker.checkpoint.Generation;
import dev.kindling.worker.event.report.MetricsLog;
import dev.kindling.worker.ledger.LedgerChain;
import dev.kindling.worker.ledger.LedgerHistory;
import dev.kindling.worker.ledger.LedgerStep;
import dev.kindling.worker.loop.WorkerTask;
import dev.kindling.worker.store.LocalStorage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * What a run left behind to compare.
 *
 * @param source where the steps come from, in words
 * @param steps loss, gradient norm and, from a ledger, samples
 * @param commits newest commit of each step that has one
 */
record RunTrace(
    String source,
    SortedMap<Long, LedgerStep> steps,
    CheckpointStore store,
    SortedMap<Long, String> commits) {

  /**
   * @throws PlanException if the folder holds no run
   * @throws CheckpointException if a line of its ledger was changed, or the ledger is not the one
   *     that its checkpoints grew with
   */
  static RunTrace read(Path runDir) throws IOException {
    if (!Files.exists(runDir.resolve("config.yaml"))) {
      throw new PlanException(runDir + " holds no run (no config.yaml)");
    }
    CheckpointStore store =
        CheckpointStore.open(new LocalStorage(runDir.resolve(WorkerTask.CHECKPOINTS)), 2);
    SortedMap<Long, String> commits = new TreeMap<>();
    for (String id : store.commits()) {
      commits.putIfAbsent(stepOf(id), id);
    }
    LedgerHistory ledger = LedgerHistory.read(runDir);
    if (!ledger.damages().isEmpty()) {
      throw new CheckpointException(String.join("\n", ledger.damages()));
    }
    if (!ledger.steps().isEmpty()) {
      RunTrace trace = new RunTrace("ledger", ledger.steps(), store, commits);
      trace.requireBound(runDir, ledger);
      return trace;
    }
    return new RunTrace("metrics.jsonl", logged(runDir), store, commits);
  }

  /** Epoch and step are in the name of a commit: {@code e0000000007-s000000012000}. */
  private static long stepOf(String id) {
    return Long.parseLong(id.substring(id.indexOf("-s") + 2));
  }

  /** Of a run that was made before there were ledgers. */
  private static SortedMap<Long, LedgerStep> logged(Path runDir) throws IOException {
    SortedMap<Long, LedgerStep> steps = new TreeMap<>();
    MetricsLog.read(runDir.resolve("metrics.jsonl"))
        .byStep()
        .forEach(
            (step, json) ->
                steps.put(
                    step,
                    new LedgerStep(
                        step,
                        Float.floatToIntBits((float) MetricsLog.number(json, "loss")),
                        Float.floatToIntBits((float) MetricsLog.number(json, "grad_norm")),
                        OptionalLong.empty(),
                        0)));
    return steps;
  }

  /**
   * A line whose check was computed anew still does not lead to the head in the newest checkpoint.
   * Older ones may have seen lines that a later attempt computed again.
   */
  private void requireBound(Path runDir, LedgerHistory ledger) {
    List<String> newestFirst = store.commits();
    if (newestFirst.isEmpty()) {
      return;
    }
    Optional<Generation> newest = generation(newestFirst.get(0), new ArrayList<>());
    String expected = newest.map(g -> g.state().guards().get(LedgerChain.GUARD)).orElse(null);
    String found = newest.flatMap(g -> ledger.head(g.step())).orElse(null);
    if (expected != null && found != null && !expected.equals(found)) {
      throw new CheckpointException(
          runDir
              + ": expected the ledger that led to checkpoint "
              + newestFirst.get(0)
              + " (head "
              + expected
              + "), found head "
              + found
              + ": a line up to there was changed");
    }
  }

  /** Empty if it is damaged, which is a line for people. */
  Optional<Generation> generation(String id, List<String> damages) {
    try {
      return Optional.of(store.generation(id));
    } catch (CheckpointException damaged) {
      damages.add("not compared: " + damaged.getMessage());
      return Optional.empty();
    }
  }
}
