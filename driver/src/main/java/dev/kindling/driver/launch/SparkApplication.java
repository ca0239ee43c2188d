package dev.kindling.driver.launch;

import dev.kindling.worker.launch.AttemptFailedException;
import dev.kindling.worker.launch.FailureKind;
import dev.kindling.worker.loop.StopSignal;
import dev.kindling.worker.plan.Device;
import dev.kindling.worker.plan.SparkSpec;
import java.io.IOException;
import java.net.BindException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.CodeSource;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.spark.SparkConf;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.status.api.v1.ExecutorSummary;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import scala.jdk.javaapi.CollectionConverters;

/**
 * The one Spark context of a command. It starts on a thread of its own while the caller plans,
 * reads and compiles; whoever needs it first waits. Or the context of a program that trains among
 * other things, which stays as it is.
 */
public final class SparkApplication implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(SparkApplication.class);

  private final SparkConf conf;
  private final CompletableFuture<JavaSparkContext> context;
  private final SlotWait slots;
  private final ExecutorPool executors = new ExecutorPool(new Registered());
  private final boolean own;
  private volatile boolean failed;

  private SparkApplication(
      SparkConf conf,
      SparkSpec spec,
      Device device,
      CompletableFuture<JavaSparkContext> context,
      boolean own) {
    this.conf = conf;
    this.context = context;
    this.own = own;
    slots =
        new SlotWait(
            new SlotWait.Terms(
                conf.get("spark.master"),
                spec.startupTimeout(),
                device == Device.CUDA ? FailureKind.DEVICE : FailureKind.CONFIGURATION,
                GpuSettings.hint(conf, device)),
            this::presentSlots);
  }

  private static SparkApplication started(SparkConf conf, SparkSpec spec, Device device) {
    CompletableFuture<JavaSparkContext> context =
        CompletableFuture.supplyAsync(() -> new JavaSparkContext(conf), SparkApplication::run);
    return new SparkApplication(conf, spec, device, context, true);
  }

  private static void run(Runnable start) {
    Thread thread = new Thread(start, "kindling-spark-start");
    thread.setDaemon(true);
    thread.start();
  }

  /**
   * @param ranks for which slots are wanted
   * @throws dev.kindling.worker.launch.AttemptFailedException of kind CONFIGURATION if the plan and
   *     spark-submit contradict each other
   */
  public static SparkApplication start(SparkSpec spec, int ranks) {
    Workers workers = new Workers(ranks, Device.CPU);
    SparkConf conf = SparkSettings.of(new SparkConf(), spec, workers, applicationJar());
    return started(conf, spec, Device.CPU);
  }

  /**
   * As {@link #start}, for a program that needs all its ranks at once, each with its device.
   *
   * @throws AttemptFailedException of kind CONFIGURATION, before anything starts, also if the
   *     settings rule out that many slots
   */
  static SparkApplication startForRanks(SparkSpec spec, Workers workers) {
    SparkConf conf = SparkSettings.of(new SparkConf(), spec, workers, applicationJar());
    refuseIfTooSmall(conf, workers.ranks());
    return started(conf, spec, workers.device());
  }

  /**
   * As {@link #startForRanks}, in a context that a program made for itself and will stop itself.
   *
   * @throws AttemptFailedException of kind CONFIGURATION if its settings are none for ranks
   */
  static SparkApplication within(JavaSparkContext context, SparkSpec spec, Workers workers) {
    SparkConf conf = context.getConf();
    SessionSettings.require(conf, spec, workers.device());
    refuseIfTooSmall(conf, workers.ranks());
    return new SparkApplication(
        conf, spec, workers.device(), CompletableFuture.completedFuture(context), false);
  }

  /** Why a run with the settings that spark-submit made would be refused as open to strangers. */
  public static List<String> openDoors() {
    return SparkSecurity.refusals(new SparkConf());
  }

  /** The context, once it is up. */
  public JavaSparkContext context() {
    try {
      return context.join();
    } catch (CompletionException e) {
      refuseTakenPort(e);
      throw e.getCause() instanceof RuntimeException cause ? cause : e;
    }
  }

  /**
   * Spark tries other ports unless the settings name one; then only the user can choose another.
   */
  private void refuseTakenPort(Throwable failure) {
    for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
      if (cause instanceof BindException) {
        String ports =
            Stream.of(conf.getAll())
                .filter(setting -> setting._1().endsWith(".port"))
                .map(setting -> setting._1() + "=" + setting._2())
                .collect(Collectors.joining(", "));
        throw new AttemptFailedException(
            FailureKind.CONFIGURATION,
            -1,
            "port in use or address not of this machine ("
                + String.valueOf(cause.getMessage()).lines().findFirst().orElse("")
                + "); set were: "
                + (ports.isEmpty() ? "no ports" : ports),
            failure);
      }
    }
  }

  /** For messages. */
  public String master() {
    return conf.get("spark.master");
  }

  SparkConf conf() {
    return conf;
  }

  private static void refuseIfTooSmall(SparkConf conf, int ranks) {
    int total = SparkSettings.totalSlots(conf).orElse(Integer.MAX_VALUE);
    if (total < ranks) {
      throw new AttemptFailedException(
          FailureKind.CONFIGURATION,
          -1,
          "ranks: needs %d slots, %s has %d and never more%s; waited 0 s"
              .formatted(ranks, conf.get("spark.master"), total, SparkSettings.limit(conf)),
          null);
    }
  }

  /**
   * Blocks until every rank has a slot.
   *
   * @param notices hears what is waited for, if it takes long
   * @throws AttemptFailedException of kind CONFIGURATION (DEVICE for GPUs) if the slots do not or
   *     cannot come, of kind LOST_SLOTS if some were lost and do not come back
   * @throws InterruptedException if a stop is wished meanwhile
   */
  void awaitSlots(int ranks, StopSignal stop, Consumer<String> notices)
      throws InterruptedException {
    refuseIfTooSmall(conf, ranks);
    slots.await(ranks, stop, notices);
  }

  /** Whether slots may fail to come: not from a master that starts them itself. */
  boolean slotsMayBeMissing() {
    return !SparkSettings.isLocal(conf) && !master().startsWith("local-cluster");
  }

  /** Executors that are registered now; in local mode the threads. */
  int presentSlots() {
    if (SparkSettings.isLocal(conf)) {
      return SparkSettings.totalSlots(conf).orElse(0);
    }
    return executors.present();
  }

  /** Executors of this application, for whoever gives ranks to them. */
  ExecutorPool executors() {
    return executors;
  }

  /** The executors as Spark's store lists them, which has the driver in it too. */
  private final class Registered implements ExecutorPool.Cluster {
    @Override
    public Map<String, String> executors() {
      return CollectionConverters.asJava(context().sc().statusStore().executorList(true)).stream()
          .filter(executor -> !executor.id().equals("driver"))
          .collect(
              Collectors.toMap(
                  ExecutorSummary::id, executor -> executor.hostPort().replaceFirst(":\\d+$", "")));
    }

    @Override
    public boolean killAndReplace(String executor) {
      try {
        return context().sc().killAndReplaceExecutor(executor);
      } catch (RuntimeException refused) {
        // Then Spark itself misses it after spark.network.timeout.
        LOG.warn("executor {} cannot be killed", executor, refused);
        return false;
      }
    }
  }

  /** Keeps the executors' logs after {@link #close}. */
  void markFailed() {
    failed = true;
  }

  @Override
  public void close() {
    if (!own) {
      return;
    }
    JavaSparkContext started;
    try {
      started = context.join();
    } catch (CompletionException e) {
      LOG.debug("Spark never came up", e);
      return;
    }
    String id = started.sc().applicationId();
    started.stop();
    if (!failed && master().startsWith("local-cluster")) {
      deleteWork(id);
    }
  }

  /** The embedded worker leaves a folder per application under SPARK_HOME. */
  private static void deleteWork(String applicationId) {
    String home = System.getenv("SPARK_HOME");
    if (home == null) {
      return;
    }
    try (Stream<Path> paths = Files.walk(Path.of(home, "work", applicationId))) {
      for (Path path : paths.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(path);
      }
    } catch (IOException e) {
      LOG.debug("the work folder of {} stays", applicationId, e);
    }
  }

  private static String applicationJar() {
    CodeSource source = SparkApplication.class.getProtectionDomain().getCodeSource();
    if (source == null) {
      return "";
    }
    try {
      Path path = Path.of(source.getLocation().toURI());
      return Files.isRegularFile(path) ? path.toString() : "";
    } catch (URISyntaxException e) {
      throw new IllegalStateException("our own jar has no path: " + source.getLocation(), e);
    }
  }
}
