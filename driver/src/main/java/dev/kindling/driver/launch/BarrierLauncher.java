package dev.kindling.driver.launch;

import dev.kindling.driver.plugin.ControlPoint;
import dev.kindling.driver.plugin.RankStarted;
import dev.kindling.worker.event.EventSink;
import dev.kindling.worker.launch.AttemptFailedException;
import dev.kindling.worker.launch.Launcher;
import dev.kindling.worker.loop.StopSignal;
import dev.kindling.worker.loop.WorkerAssignment;
import dev.kindling.worker.loop.WorkerResult;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ExecutionException;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.apache.spark.SparkConf;
import org.apache.spark.api.java.JavaFutureAction;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.rdd.RDD;
import org.apache.spark.resource.ResourceProfile;
import org.apache.spark.resource.ResourceProfileBuilder;
import org.apache.spark.resource.TaskResourceRequests;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerExecutorRemoved;
import scala.reflect.ClassTag;
import scala.reflect.ClassTag$;

/**
 * One barrier stage that is the result stage, one task per executor JVM, one task per rank. Spark
 * never retries such a stage: retrying is {@link AttemptLoop}'s, with a new job.
 */
public final class BarrierLauncher implements Launcher {
  /** The reaper's kill time-out, the heartbeat that tells of it, and some air. */
  private static final long END_MILLIS = 20_000;

  /** Fifteen reports missed. */
  private static final long SILENT_MILLIS = 3_000;

  /** How Spark remembers the job group of a thread. */
  private static final List<String> JOB_GROUP =
      List.of("spark.jobGroup.id", "spark.job.description", "spark.job.interruptOnCancel");

  private final SparkApplication application;
  private final RankBody body;
  private final Consumer<String> notices;
  private final HostBlame hosts;

  /**
   * @param notices one-line messages for people, such as what the run waits for
   */
  public BarrierLauncher(SparkApplication application, RankBody body, Consumer<String> notices) {
    this(application, body, notices, new HostBlame(0, RetryBudget.DEFAULT.window()));
  }

  /** As above, taking the ranks away from hosts that fail too often. */
  BarrierLauncher(
      SparkApplication application, RankBody body, Consumer<String> notices, HostBlame hosts) {
    this.application = application;
    this.body = body;
    this.notices = notices;
    this.hosts = hosts;
  }

  @Override
  public List<WorkerResult> run(
      WorkerAssignment assignment, int ranks, EventSink events, StopSignal stop)
      throws InterruptedException {
    awaitSlots(ranks, stop);
    JavaSparkContext spark = application.context();
    String run = UUID.randomUUID().toString();
    RankLedger ledger = new RankLedger(events, stop, () -> spark.sc().cancelJobGroup(run));
    SparkListener listener =
        new SparkListener() {
          @Override
          public void onExecutorRemoved(SparkListenerExecutorRemoved removed) {
            ledger.lostExecutor(removed.executorId());
          }
        };
    spark.sc().addSparkListener(listener);
    ControlPoint.open(run, ledger);
    Map<String, String> group = jobGroup(spark);
    spark.setJobGroup(run, "training, attempt " + assignment.attempt(), true);
    try {
      return collect(submit(spark, run, ranks, assignment), spark, run, ledger);
    } finally {
      spark.clearJobGroup();
      group.forEach(spark::setLocalProperty);
      ControlPoint.close(run);
      spark.sc().removeSparkListener(listener);
    }
  }

  /** The thread may be one of a program that groups its own jobs. */
  private static Map<String, String> jobGroup(JavaSparkContext spark) {
    Map<String, String> set = new HashMap<>();
    for (String key : JOB_GROUP) {
      String value = spark.getLocalProperty(key);
      if (value != null) {
        set.put(key, value);
      }
    }
    return set;
  }

  private void awaitSlots(int ranks, StopSignal stop) throws InterruptedException {
    try {
      application.awaitSlots(ranks, stop, notices);
    } catch (AttemptFailedException e) {
      Set<String> back = application.executors().readmit();
      if (!back.isEmpty()) {
        notices.accept("no slots elsewhere: excluded hosts are taken back: " + back);
      }
      throw e;
    }
  }

  private JavaFutureAction<List<WorkerResult>> submit(
      JavaSparkContext spark, String run, int ranks, WorkerAssignment assignment) {
    List<Integer> seeds = IntStream.range(0, ranks).boxed().toList();
    RDD<Integer> seed = spark.parallelize(new ArrayList<>(seeds), ranks).rdd();
    ClassTag<WorkerResult> tag = ClassTag$.MODULE$.apply(WorkerResult.class);
    RDD<WorkerResult> tasks =
        seed.barrier()
            .mapPartitions(
                new RankFunction(run, 0, ranks, assignment, body, new ProcessEnd.Halt()),
                false,
                tag);
    JavaRDD<WorkerResult> results = tasks.toJavaRDD();
    return claim(application.conf()).map(results::withResources).orElse(results).collectAsync();
  }

  /** A rank takes a whole executor; other stages of the application keep one core a task. */
  static Optional<ResourceProfile> claim(SparkConf conf) {
    int executorCores = conf.getInt("spark.executor.cores", 1);
    boolean gpu = GpuSettings.scheduled(conf);
    boolean wholeAnyway = executorCores == conf.getInt("spark.task.cpus", 1);
    if (SparkSettings.isLocal(conf) || (wholeAnyway && !gpu)) {
      return Optional.empty();
    }
    TaskResourceRequests requests = new TaskResourceRequests().cpus(executorCores);
    if (gpu) {
      requests.resource(GpuSettings.GPU, 1);
    }
    return Optional.of(new ResourceProfileBuilder().require(requests).build());
  }

  private List<WorkerResult> collect(
      JavaFutureAction<List<WorkerResult>> job,
      JavaSparkContext spark,
      String run,
      RankLedger ledger)
      throws InterruptedException {
    try {
      List<WorkerResult> results = new ArrayList<>(job.get());
      ledger.requireRecorded();
      results.sort(Comparator.comparingInt(WorkerResult::rank));
      return List.copyOf(results);
    } catch (ExecutionException e) {
      application.markFailed();
      Set<String> suspects = new HashSet<>();
      boolean over = awaitEnd(ledger, suspects);
      Throwable cause = e.getCause() == null ? e : e.getCause();
      AttemptFailedException failure = ledger.failure(cause);
      ledger.blamedHost(failure).ifPresent(suspects::add);
      suspects.forEach(this::blame);
      if (!over) {
        notices.accept("a rank of the failed attempt still runs; its executor is left to Spark");
      }
      throw failure;
    } catch (InterruptedException e) {
      spark.sc().cancelJobGroup(run);
      application.markFailed();
      Set<String> suspects = new HashSet<>();
      if (!awaitEnd(ledger, suspects)) {
        notices.accept("a rank of the interrupted attempt still runs");
      }
      suspects.forEach(this::blame);
      throw e;
    }
  }

  private void blame(String host) {
    if (hosts.failed(host, System.nanoTime()) && application.executors().exclude(host)) {
      notices.accept(
          "host " + host + " failed too often (recovery.host_failures): others get its ranks");
    }
  }

  /**
   * Ranks that neither end nor speak lose their executors at once, the others after a while.
   *
   * @param suspects gets the hosts of those that did not speak
   * @return false if some rank still runs
   */
  private boolean awaitEnd(RankLedger ledger, Set<String> suspects) throws InterruptedException {
    for (RankStarted rank : ledger.silent(SILENT_MILLIS)) {
      application.executors().replace(rank.executor());
      suspects.add(rank.host());
    }
    if (ledger.awaitEnd(END_MILLIS)) {
      return true;
    }
    boolean killed = false;
    for (RankStarted rank : ledger.silent(0)) {
      killed |= application.executors().replace(rank.executor());
    }
    return killed && ledger.awaitEnd(END_MILLIS);
  }

  @Override
  public int slots() {
    return application.presentSlots();
  }

  @Override
  public void close() {
    application.close();
  }
}
