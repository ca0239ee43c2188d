package dev.kindling.kernels.fault;

import java.nio.file.Path;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * The moments of a run at which a kill must cost nothing but time, each as {@link #before} and
 * {@link #after} what happens there. A list that is closed: a test kills a run at every one.
 *
 * <p>Off, a call is one volatile read. On, when the property {@value #PROPERTY} or, for processes
 * that others start, the environment variable {@value #VARIABLE} names a folder, the folder's file
 * {@code plan} says what happens where, in lines like
 *
 * <pre>
 * part.write.after@rank0:3:halt
 * </pre>
 *
 * <p>Lines count one after the other, each once for all processes that share the folder: when a
 * process ({@code driver}, {@code rank0}, ...; any, if none is named) is there for the third time
 * since the line's turn, it ends. Actions: {@code halt} (at once, without shutdown hooks), {@code
 * kill9} and {@code stop} (the real signals), {@code throw} and {@code sleep:MILLIS}. The file
 * {@code met} gets one line whenever a process is at a point.
 */
public enum Failpoint {
  /** The driver makes a folder a run by its {@code config.yaml}. */
  CONFIG_WRITE,
  /** A prepared set gets its final name. */
  DATA_PUBLISH,
  /** The driver takes the epoch of an attempt. */
  EPOCH_CLAIM,
  /** Worker processes are started and get their orders. */
  WORKERS_START,
  /** A line of {@code history.jsonl}. */
  HISTORY_LINE,
  /** A line of {@code metrics.jsonl}. */
  METRICS_LINE,
  /** A record of a TensorBoard event file. */
  EVENTS_RECORD,
  /** {@code report.html} gets its final name. */
  REPORT_PUBLISH,
  /** A rank under Spark knows that the driver has its report. */
  REPORT_ACKNOWLEDGE,
  /** An experiment remembers that a run is done. */
  EXPERIMENT_RESULT,
  /** An experiment replaces its table. */
  EXPERIMENT_TABLE,
  /** An exported model has its weights and gets the index of its files, if there are several. */
  EXPORT_INDEX,
  /** An exported model gets its final name. */
  EXPORT_PUBLISH,

  /** Ranks tell each other their addresses. */
  RENDEZVOUS,
  /** A rank's connections are opened and proven. */
  COMMUNICATOR_OPEN,
  /** A collective between processes, of gradients or for bookkeeping. */
  COLLECTIVE,
  /** The graphs of a step become a program. */
  STEP_COMPILE,
  /** First weights are drawn. */
  FRESH_WEIGHTS,
  /** The newest generation that verifies is looked for. */
  RESTORE_SELECT,
  /** Tensors of a generation are read. */
  RESTORE_READ,
  /** What products read is made of weights that were drawn, loaded or zero. */
  WEIGHTS_SPREAD,
  /** A micro-batch is taken. */
  BATCH_READ,
  /** A step is submitted to the device. */
  STEP_SUBMIT,
  /** The outcome of a step is waited for. */
  STEP_OUTCOME,

  /** A rank's ledger file is created. */
  LEDGER_CREATE,
  /** Lines of the ledger are written. */
  LEDGER_WRITE,
  /** Samples of all ranks are added up for the chain of the ledger. */
  LEDGER_FOLD,
  /** Weights and optimizer state are copied for a save beside the steps. */
  SNAPSHOT_TAKE,
  /** A part of a generation is created. */
  PART_CREATE,
  /** A piece of a part is written. */
  PART_WRITE,
  /** A file of a generation is forced to disk and closed. */
  PART_SYNC,
  /** Parts are read back before the commit. */
  PART_READ_BACK,
  /** State and index of a generation are written. */
  STATE_WRITE,
  /** An exclusive object is written and forced under a temporary name. */
  COMMIT_WRITE,
  /** An exclusive object gets its final name. */
  COMMIT_LINK,
  /** The hint at the newest commit is replaced. */
  HINT_REPLACE,
  /** An old generation is revoked. */
  RETENTION_REVOKE,
  /** The commit of a revoked generation is deleted. */
  RETENTION_COMMIT,
  /** The parts of a revoked generation are deleted. */
  RETENTION_PARTS,
  /** The record of a revocation is deleted. */
  RETENTION_RECORD,
  /** Parts that no commit names are deleted. */
  ORPHANS_REMOVE,
  /** A worker process tells its result. */
  RESULT_TELL;

  /** System property that names the folder of a plan. */
  public static final String PROPERTY = "kindling.failpoints";

  /** Environment variable that names it where the property is absent; children inherit it. */
  public static final String VARIABLE = "KINDLING_FAILPOINTS";

  private static volatile @Nullable Trap armed = ofProcess();
  private static volatile String process = "driver";

  private static @Nullable Trap ofProcess() {
    String folder = System.getProperty(PROPERTY, System.getenv(VARIABLE));
    return folder == null || folder.isEmpty() ? null : new Trap(Path.of(folder));
  }

  /** Arms this process with a folder, or with nothing; for tests within one process. */
  static void arm(@Nullable Path folder) {
    armed = folder == null ? null : new Trap(folder);
  }

  /** Says that this process is a rank from now on, not the driver. */
  public static void processIs(int rank) {
    process = "rank" + rank;
  }

  /**
   * What the point stands for is about to happen.
   *
   * @throws FaultException if the plan says so
   * @throws IllegalArgumentException if the plan is no plan
   */
  public void before() {
    Trap trap = armed;
    if (trap != null) {
      trap.at(this, false, process);
    }
  }

  /** What the point stands for has happened; throws as {@link #before}. */
  public void after() {
    Trap trap = armed;
    if (trap != null) {
      trap.at(this, true, process);
    }
  }

  /** As a plan names it: {@code part.write.after}. */
  public String moment(boolean after) {
    return name().toLowerCase(Locale.ROOT).replace('_', '.') + (after ? ".after" : ".before");
  }
}
