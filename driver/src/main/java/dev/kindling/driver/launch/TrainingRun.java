package dev.kindling.driver.launch;

import dev.kindling.driver.plugin.LogTap;
import dev.kindling.worker.checkpoint.CheckpointException;
import dev.kindling.worker.checkpoint.CheckpointStore;
import dev.kindling.worker.checkpoint.Epochs;
import dev.kindling.worker.launch.AttemptFailedException;
import dev.kindling.worker.launch.Launcher;
import dev.kindling.worker.launch.ProcessLauncher;
import dev.kindling.worker.launch.ThreadLauncher;
import dev.kindling.worker.loop.WorkerResult;
import dev.kindling.worker.loop.WorkerTask;
import dev.kindling.worker.plan.LauncherKind;
import dev.kindling.worker.plan.TrainPlan;
import dev.kindling.worker.store.Storage;
import dev.kindling.worker.store.StorageLocation;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.spark.api.java.JavaSparkContext;
import org.jspecify.annotations.Nullable;

/**
 * The main job: Spark and data at the same time, then attempts until the run is done, stopped or
 * out of retries.
 */
public final class TrainingRun {
  private static final String RANKS = "ranks.jsonl";
  private static final Duration FENCE_PAUSE = Duration.ofSeconds(2);

  /**
   * A run that is planned and whose folder exists.
   *
   * @param configYaml the plan as text, for the ranks and their checkpoints: without secrets
   * @param files the driver's own files of the folder
   * @param resume whether checkpoints that were ever there must be there still
   * @param firstStep called once, when the first step is done and before it is logged
   * @param witness sees the run beside its metrics and its progress
   */
  public record Order(
      TrainPlan plan,
      String configYaml,
      StorageLocation runDir,
      RunMirror files,
      boolean resume,
      Runnable firstStep,
      RunObserver witness) {}

  /** Prepares the plan's data and says where it lies. */
  @FunctionalInterface
  public interface DataSource {
    /**
     * @param spark the run's own Spark application if it has one; it may still be starting
     * @return folder of the prepared set, reachable by every rank
     */
    Path prepare(TrainPlan plan, Optional<SparkApplication> spark);
  }

  private final Order order;
  private final DataSource data;
  private final Progress progress;
  private final StopSwitch stop;
  private final Optional<JavaSparkContext> session;

  public TrainingRun(Order order, DataSource data, Progress progress, StopSwitch stop) {
    this(order, data, progress, stop, Optional.empty());
  }

  /**
   * @param session a context of this JVM for ranks that are Spark tasks; it is not stopped
   */
  public TrainingRun(
      Order order,
      DataSource data,
      Progress progress,
      StopSwitch stop,
      Optional<JavaSparkContext> session) {
    this.order = order;
    this.data = data;
    this.progress = progress;
    this.stop = stop;
    this.session = session;
  }

  /**
   * Blocks until the run has ended.
   *
   * @return exit code of the contract: 0, or 130 or 143 if a signal stopped it early
   * @throws AttemptFailedException when no attempt may follow a failure
   * @throws CheckpointException when a run to resume has lost its checkpoints
   */
  public int run() throws IOException, InterruptedException {
    TrainPlan plan = order.plan();
    Storage storage = order.runDir().resolve(WorkerTask.CHECKPOINTS).open(plan.spark().conf());
    CheckpointStore store = CheckpointStore.open(storage, plan.checkpoint().keep());
    if (order.resume()) {
      requireCheckpoint(store);
    }
    SparkApplication spark = plan.launcher() == LauncherKind.SPARK ? application(plan) : null;
    try (Launcher launcher = launcher(spark)) {
      new DeviceCheck().require(plan, spark == null || !spark.slotsMayBeMissing());
      // Before hours of preparation. An embedded master starts beside it, and will have them.
      if (spark != null && spark.slotsMayBeMissing()) {
        spark.awaitSlots(plan.ranks(), stop, progress::say);
      }
      Path dataDir = data.prepare(plan, Optional.ofNullable(spark)).toAbsolutePath();
      return attempts(launcher, new EpochClaim(new Epochs(storage), FENCE_PAUSE), dataDir);
    } catch (AttemptFailedException e) {
      if (stop.exitCodeAfter(e) != stop.exitCode()) {
        throw e;
      }
      progress.say("failed while stopping: " + e.getMessage());
      return stop.exitCode();
    } catch (InterruptedException e) {
      if (stop.exitCode() == 0) {
        throw e;
      }
      return stop.exitCode();
    }
  }

  private SparkApplication application(TrainPlan plan) {
    Workers workers = new Workers(plan.ranks(), plan.device());
    return session
        .map(context -> SparkApplication.within(context, plan.spark(), workers))
        .orElseGet(() -> SparkApplication.startForRanks(plan.spark(), workers));
  }

  private int attempts(Launcher launcher, EpochClaim epochs, Path dataDir)
      throws IOException, InterruptedException {
    Path metricsPath = order.files().folder().resolve(RunMirror.METRICS);
    int first = MetricsFile.lastAttempt(metricsPath) + 1;
    TrainPlan plan = order.plan();
    try (MetricsFile metrics = MetricsFile.open(metricsPath);
        EventFiles events =
            new EventFiles(
                order.files().folder().resolve(RunMirror.EVENTS),
                metrics.steps(),
                Clock.systemUTC(),
                progress::say);
        RankLogs logs = rankLogs()) {
      AttemptTerms terms =
          new AttemptTerms(
              order.configYaml(),
              order.runDir().absolute().text(),
              dataDir.toString(),
              "",
              plan.ranks(),
              plan.recovery().hangTimeout(),
              first);
      // Metrics first: what a person reads must already be in the file.
      RunObserver stored = new ObserverPair(metrics, order.files());
      RunObserver kept = new ObserverPair(stored, new ObserverPair(order.witness(), events));
      RunObserver ranks = new RankRecord(order.files().folder().resolve(RANKS));
      RunObserver both = new ObserverPair(new ObserverPair(ranks, kept), progress);
      // Last, since it says where to read on after what the progress says.
      RunObserver told = new ObserverPair(both, logs);
      RunObserver all = new ObserverPair(new FirstStep(order.firstStep()), told);
      stop.arm();
      List<WorkerResult> results =
          new AttemptLoop(launcher, terms, epochs, all, stop, RetryBudget.DEFAULT).run();
      return results.get(0).stopped() ? stop.exitCode() : 0;
    } finally {
      progress.finish();
    }
  }

  private RankLogs rankLogs() {
    Map<String, String> surroundings = new HashMap<>(System.getenv());
    System.getProperties().forEach((name, value) -> surroundings.put("" + name, "" + value));
    return new RankLogs(
        new RankLogFiles(order.files().folder(), order.runDir().toString()),
        LogMask.of(order.plan().spark().secrets().values(), surroundings),
        Clock.systemUTC(),
        progress::say);
  }

  private void requireCheckpoint(CheckpointStore store) {
    if (store.neverCommitted()) {
      // Stopped before its first checkpoint: only a resumption can go on, since train refuses.
      progress.say(order.runDir() + " has no checkpoint yet: starting at step 1");
      return;
    }
    List<String> refusals = new ArrayList<>();
    if (store.newestValid(refusals).isEmpty()) {
      String why = refusals.isEmpty() ? "it has none" : String.join("; ", refusals);
      throw new CheckpointException(
          order.runDir()
              + ": expected a valid checkpoint to resume from, found none ("
              + why
              + "); start again with: kindling train CONFIG.yaml in a new --run-dir");
    }
  }

  private Launcher launcher(@Nullable SparkApplication spark) {
    TrainPlan plan = order.plan();
    return switch (plan.launcher()) {
      case SPARK ->
          new BarrierLauncher(
              java.util.Objects.requireNonNull(spark),
              new TrainingBody(),
              progress::say,
              new HostBlame(plan.recovery().hostFailures(), RetryBudget.DEFAULT.window()));
      case PROCESSES ->
          new ProcessLauncher(
              WorkerJvm.children(
                  ManagementFactory.getRuntimeMXBean().getInputArguments(),
                  plan.device(),
                  System.getenv()));
      case THREADS -> {
        WorkerJvm.limitThisJvm(plan.device());
        LogTap.install();
        yield new ThreadLauncher();
      }
    };
  }
}
