package dev.kindling.benchmarks;

import dev.kindling.worker.checkpoint.CheckpointStore;
import dev.kindling.worker.checkpoint.Generation;
import dev.kindling.worker.checkpoint.PartKind;
import dev.kindling.worker.checkpoint.StoredTensor;
import dev.kindling.worker.event.report.MetricsLog;
import dev.kindling.worker.ledger.LedgerChain;
import dev.kindling.worker.ledger.LedgerHistory;
import dev.kindling.worker.ledger.LedgerStep;
import dev.kindling.worker.loop.WorkerTask;
import dev.kindling.worker.store.Json;
import dev.kindling.worker.store.LocalStorage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeSet;

/**
 * What two finished runs do not share, bit for bit, counted by kind.
 *
 * @param counts {@code loss}: logged steps whose loss or gradient norm differ; {@code validation};
 *     {@code weights} and {@code optimizer}: tensors of the last checkpoint; {@code cursor}; {@code
 *     state}: anything else of the last checkpoint; {@code ledger}: recorded steps whose loss,
 *     gradient norm or samples differ or are unknown, damaged files, chains that the lines do not
 *     lead to
 */
record RunComparison(Map<String, Long> counts) {

  static RunComparison of(Path calm, Path disturbed) throws IOException {
    Map<String, Long> counts = new LinkedHashMap<>();
    MetricsLog expected = MetricsLog.read(calm.resolve("metrics.jsonl"));
    MetricsLog found = MetricsLog.read(disturbed.resolve("metrics.jsonl"));
    counts.put("loss", differing(expected.byStep(), found.byStep(), "loss", "grad_norm"));
    counts.put("validation", differing(expected.validation(), found.validation(), "val_loss"));
    Generation ours = last(calm);
    Generation theirs = last(disturbed);
    counts.put("weights", differing(PartKind.MODEL, ours, theirs));
    counts.put("optimizer", differing(PartKind.OPTIMIZER, ours, theirs));
    boolean cursor = ours.state().cursor().equals(theirs.state().cursor());
    counts.put("cursor", cursor ? 0L : 1);
    boolean state = ours.state().trajectory().equals(theirs.state().trajectory());
    counts.put("state", state || !cursor ? 0L : 1);
    counts.put("ledger", ledger(calm, ours, disturbed, theirs));
    return new RunComparison(counts);
  }

  long total() {
    return counts.values().stream().mapToLong(Long::longValue).sum();
  }

  private static long differing(
      SortedMap<Long, Json.Obj> ours, SortedMap<Long, Json.Obj> theirs, String... keys) {
    TreeSet<Long> steps = new TreeSet<>(ours.keySet());
    steps.addAll(theirs.keySet());
    long count = 0;
    for (long step : steps) {
      Json.Obj a = ours.get(step);
      Json.Obj b = theirs.get(step);
      boolean same = a != null && b != null;
      for (String key : keys) {
        same = same && a != null && b != null && bits(a, key) == bits(b, key);
      }
      count += same ? 0 : 1;
    }
    return count;
  }

  private static long bits(Json.Obj line, String key) {
    return Double.doubleToRawLongBits(MetricsLog.number(line, key));
  }

  private static Generation last(Path runDir) {
    return CheckpointStore.open(new LocalStorage(runDir.resolve(WorkerTask.CHECKPOINTS)), 2)
        .newestValid(new ArrayList<>())
        .orElseThrow(() -> new IllegalStateException(runDir + ": no checkpoint"));
  }

  private static long differing(PartKind kind, Generation ours, Generation theirs) {
    Map<String, StoredTensor> a = ours.tensors(kind);
    Map<String, StoredTensor> b = theirs.tensors(kind);
    TreeSet<String> names = new TreeSet<>(a.keySet());
    names.addAll(b.keySet());
    return names.stream().filter(name -> !same(a.get(name), b.get(name))).count();
  }

  private static boolean same(
      @org.jspecify.annotations.Nullable StoredTensor a,
      @org.jspecify.annotations.Nullable StoredTensor b) {
    return a != null
        && b != null
        && a.dims().equals(b.dims())
        && a.dtype() == b.dtype()
        && a.sha256().equals(b.sha256());
  }

  private static long ledger(Path calm, Generation ours, Path disturbed, Generation theirs)
      throws IOException {
    LedgerHistory a = LedgerHistory.read(calm);
    LedgerHistory b = LedgerHistory.read(disturbed);
    TreeSet<Long> steps = new TreeSet<>(a.steps().keySet());
    steps.addAll(b.steps().keySet());
    long count = a.damages().size() + (long) b.damages().size();
    for (long step : steps) {
      count += same(a.steps().get(step), b.steps().get(step)) ? 0 : 1;
    }
    for (boolean led : List.of(leads(a, ours), leads(b, theirs))) {
      count += led ? 0 : 1;
    }
    return count;
  }

  private static boolean same(
      @org.jspecify.annotations.Nullable LedgerStep a,
      @org.jspecify.annotations.Nullable LedgerStep b) {
    return a != null
        && b != null
        && a.samples().isPresent()
        && b.samples().isPresent()
        && a.difference(b).isEmpty();
  }

  /** Whether the lines lead to the head that the checkpoint carries. */
  private static boolean leads(LedgerHistory ledger, Generation generation) {
    String head = generation.state().guards().get(LedgerChain.GUARD);
    return head != null && ledger.head(generation.step()).filter(head::equals).isPresent();
  }
}
