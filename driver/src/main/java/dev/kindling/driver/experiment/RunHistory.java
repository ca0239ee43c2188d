package dev.kindling.driver.experiment;

import dev.kindling.worker.checkpoint.CheckpointStore;
import dev.kindling.worker.event.report.MetricsLog;
import dev.kindling.worker.loop.WorkerTask;
import dev.kindling.worker.store.LocalStorage;
import dev.kindling.worker.store.Storage;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.Optional;

/** How far a run came, as its folder tells. */
public final class RunHistory {
  private static final String METRICS = "metrics.jsonl";

  private RunHistory() {}

  /**
   * What shows that a run made a step: the name of its checkpoints or of its metrics. A
   * configuration alone, or an attempt that failed before its first step, is nothing to go on from.
   */
  public static Optional<String> trace(Path runDir) {
    return trace(new LocalStorage(runDir.resolve(WorkerTask.CHECKPOINTS)), runDir);
  }

  /**
   * As {@link #trace(Path)}, of a run folder that may be elsewhere.
   *
   * @param files where the run's own files lie, or copies of them
   */
  public static Optional<String> trace(Storage checkpoints, Path files) {
    if (!CheckpointStore.open(checkpoints, 2).neverCommitted()) {
      return Optional.of(WorkerTask.CHECKPOINTS);
    }
    try {
      boolean stepped = !MetricsLog.read(files.resolve(METRICS)).byStep().isEmpty();
      return stepped ? Optional.of(METRICS) : Optional.empty();
    } catch (IOException e) {
      throw new UncheckedIOException("cannot read " + files.resolve(METRICS), e);
    }
  }
}
