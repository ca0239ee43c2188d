package dev.kindling.worker.launch;

import dev.kindling.worker.event.EventSink;
import dev.kindling.worker.loop.StopSignal;
import dev.kindling.worker.loop.WorkerAssignment;
import dev.kindling.worker.loop.WorkerResult;
import java.util.List;

/** Runs one attempt: all ranks once, from rendezvous to their results. Retrying is the caller's. */
public interface Launcher extends AutoCloseable {

  /**
   * Blocks until every rank has ended; no rank of this attempt is alive when it returns or throws.
   *
   * @param ranks number of ranks, at least 1
   * @param events receives the events of all ranks, from any thread
   * @param stop polled about once a step
   * @return the results in rank order
   * @throws AttemptFailedException if any rank failed; the others were ended
   * @throws InterruptedException if this thread was interrupted; the ranks were ended
   */
  List<WorkerResult> run(WorkerAssignment assignment, int ranks, EventSink events, StopSignal stop)
      throws InterruptedException;

  /** Ranks that could start now; without limit where they are threads or processes. */
  default int slots() {
    return Integer.MAX_VALUE;
  }

  /** Releases what outlives an attempt, such as a Spark context. */
  @Override
  void close();
}
