package dev.kindling.driver.launch;

import dev.kindling.driver.doctor.CudaBindings;
import dev.kindling.driver.plugin.KindlingPlugin;
import dev.kindling.worker.launch.AttemptFailedException;
import dev.kindling.worker.launch.FailureKind;
import dev.kindling.worker.plan.Device;
import dev.kindling.worker.plan.Redaction;
import dev.kindling.worker.plan.SparkSpec;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.spark.SparkConf;
import scala.Tuple2;
import scala.jdk.javaapi.CollectionConverters;

/** From the plan's {@code spark:} section and what spark-submit set to one complete SparkConf. */
final class SparkSettings {
  private static final Pattern LOCAL = Pattern.compile("local(?:\\[(\\d+|\\*)(?:,\\s*\\d+)?])?");
  private static final Pattern LOCAL_CLUSTER =
      Pattern.compile("local-cluster\\[\\s*(\\d+)\\s*,\\s*(\\d+)\\s*,\\s*(\\d+)\\s*]");
  private static final String STANDALONE = "spark://";

  private static final String EXECUTOR_OPTIONS = "spark.executor.extraJavaOptions";

  /** A core holds whatever the process held: text, weights and secrets. */
  private static final String CORE = "CreateCoredumpOnCrash";

  private SparkSettings() {}

  /**
   * @param submitted what is already set, from spark-submit
   * @param workers executors that the embedded master is made for
   * @param application path of our jar, empty if classes lie elsewhere (tests)
   * @throws AttemptFailedException of kind CONFIGURATION with every conflict, one a line
   */
  static SparkConf of(SparkConf submitted, SparkSpec spec, Workers workers, String application) {
    SparkConf conf = submitted.clone();
    List<String> conflicts = new ArrayList<>();
    spec.master().ifPresent(master -> set(conf, "spark.master", master, conflicts));
    spec.conf().forEach((key, value) -> set(conf, key, value, conflicts));
    if (conf.getBoolean("spark.dynamicAllocation.enabled", false)) {
      conflicts.add(
          "spark.dynamicAllocation.enabled: expected false, found true:"
              + " all ranks of a run start together and live together");
    }
    conflicts.addAll(SparkSecurity.refusals(conf));
    if (!conflicts.isEmpty()) {
      throw new AttemptFailedException(
          FailureKind.CONFIGURATION, -1, String.join("\n", conflicts), null);
    }
    conf.setIfMissing("spark.app.name", "kindling");
    place(conf, workers, application);
    SparkSecurity.complete(conf);
    defaults(spec, (long) workers.ranks() * executorCores(conf)).forEach(conf::setIfMissing);
    append(conf, "spark.plugins", ",", KindlingPlugin.class.getName());
    conf.set(KindlingPlugin.ALONE, "true");
    // Counters for jstat are a mapped file, and a JVM may wait for the disk when it writes there.
    append(
        conf,
        EXECUTOR_OPTIONS,
        " ",
        "-XX:-UsePerfData "
            + (conf.get(EXECUTOR_OPTIONS, "").contains(CORE) ? "" : "-XX:-" + CORE + " ")
            + String.join(" ", WorkerJvm.limits(workers.device()))
            + collector(conf, workers.device(), System.getenv())
                .map(option -> " " + option)
                .orElse(""));
    return conf;
  }

  /**
   * The collector that executors are told, unless somebody names one.
   *
   * @param environment of the driver: executors of this machine get it, others are not seen
   */
  static Optional<String> collector(
      SparkConf conf, Device device, Map<String, String> environment) {
    Map<String, String> seen = new HashMap<>(environment);
    for (Tuple2<String, String> variable : CollectionConverters.asJava(conf.getExecutorEnv())) {
      seen.put(variable._1(), variable._2());
    }
    String options =
        conf.get("spark.executor.defaultJavaOptions", "")
            + " "
            + conf.get("spark.executor.extraJavaOptions", "");
    return WorkerJvm.collector(device, List.of(options.split("\\s+", -1)), seen);
  }

  /** Where the executors come from, and what they need of a GPU. */
  private static void place(SparkConf conf, Workers workers, String application) {
    List<Path> bindings = List.of();
    if (workers.device() == Device.CUDA) {
      bindings = CudaBindings.jars(SparkSettings.class.getClassLoader());
    }
    if (!conf.contains("spark.master")) {
      if (workers.device() == Device.CUDA) {
        GpuSettings.embedded(conf, workers.ranks(), bindings);
      }
      embed(conf, workers.ranks(), application);
      return;
    }
    if (!application.isEmpty() && !conf.contains("spark.jars")) {
      conf.set("spark.jars", application);
    }
    Matcher cluster = LOCAL_CLUSTER.matcher(conf.get("spark.master"));
    if (workers.device() == Device.CUDA && cluster.matches()) {
      GpuSettings.embedded(conf, workers.ranks(), bindings);
      GpuSettings.requireOneWorker(conf, Integer.parseInt(cluster.group(1)));
    } else if (workers.device() == Device.CUDA) {
      GpuSettings.submitted(conf, bindings, System.getenv());
    }
  }

  private static int executorCores(SparkConf conf) {
    return conf.getInt("spark.executor.cores", 1);
  }

  private static Map<String, String> defaults(SparkSpec spec, long cores) {
    return Map.ofEntries(
        Map.entry("spark.executor.cores", "1"),
        Map.entry("spark.executor.memory", "1g"),
        Map.entry("spark.cores.max", String.valueOf(cores)),
        // Every second instead of every 15: executors register while the check already asks.
        Map.entry("spark.scheduler.barrier.maxConcurrentTasksCheck.interval", "1s"),
        Map.entry(
            "spark.scheduler.barrier.maxConcurrentTasksCheck.maxFailures",
            String.valueOf(Math.max(1, spec.startupTimeout().toSeconds()))),
        Map.entry("spark.barrier.sync.timeout", "600"),
        // A rank that hangs in native code does not react to an interrupt: its JVM goes after 5 s.
        Map.entry("spark.task.reaper.enabled", "true"),
        Map.entry("spark.task.reaper.killTimeout", "5s"),
        Map.entry("spark.locality.wait", "0"),
        Map.entry("spark.dynamicAllocation.enabled", "false"),
        Map.entry("spark.speculation", "false"),
        Map.entry("spark.network.timeout", "60s"),
        Map.entry("spark.executor.heartbeatInterval", "5s"),
        Map.entry("spark.ui.showConsoleProgress", "false"),
        Map.entry("spark.log.legacyTaskNameMdc.enabled", "false"));
  }

  /** One worker on this machine that starts one executor JVM per rank, closed to strangers. */
  private static void embed(SparkConf conf, int ranks, String application) {
    long memory = conf.getSizeAsMb("spark.executor.memory", "1g");
    long cores = executorCores(conf);
    conf.setMaster("local-cluster[1,%d,%d]".formatted(ranks * cores, ranks * memory));
    conf.set("spark.cores.max", String.valueOf(ranks * cores));
    conf.setIfMissing("spark.ui.enabled", "false");
    conf.setIfMissing("spark.master.rest.enabled", "false");
    if (!application.isEmpty()) {
      // On the class path of the executors: no copy of 30 MB to each of them at every start.
      append(conf, "spark.executor.extraClassPath", java.io.File.pathSeparator, application);
    }
    String logging = System.getProperty("log4j2.configurationFile", "");
    if (!logging.isEmpty() && logging.indexOf(' ') < 0) {
      append(conf, "spark.executor.extraJavaOptions", " ", "-Dlog4j2.configurationFile=" + logging);
    }
  }

  private static void set(SparkConf conf, String key, String value, List<String> conflicts) {
    String other = conf.get(key, value);
    if (other.equals(value)) {
      conf.set(key, value);
    } else {
      conflicts.add(
          "spark.%s: the configuration says %s, spark-submit says %s; leave it to one of them"
              .formatted(
                  key.replaceFirst("^spark\\.", ""),
                  Redaction.shown(key, value),
                  Redaction.shown(key, other)));
    }
  }

  static void append(SparkConf conf, String key, String separator, String value) {
    String present = conf.get(key, "");
    conf.set(key, present.isEmpty() ? value : present + separator + value);
  }

  /** Most ranks that can ever run at a time, where master URL and settings say so. */
  static OptionalInt totalSlots(SparkConf conf) {
    String master = conf.get("spark.master", "");
    Matcher local = LOCAL.matcher(master);
    if (local.matches()) {
      String threads = local.group(1);
      if (threads == null) {
        return OptionalInt.of(1);
      }
      return OptionalInt.of(
          threads.equals("*")
              ? Runtime.getRuntime().availableProcessors()
              : Integer.parseInt(threads));
    }
    Matcher cluster = LOCAL_CLUSTER.matcher(master);
    if (cluster.matches()) {
      int byCores = Integer.parseInt(cluster.group(2)) / executorCores(conf);
      long memory = Long.parseLong(cluster.group(3));
      long byMemory = memory / Math.max(1, conf.getSizeAsMb("spark.executor.memory", "1g"));
      return OptionalInt.of(Integer.parseInt(cluster.group(1)) * (int) Math.min(byCores, byMemory));
    }
    if (master.startsWith(STANDALONE)) {
      return OptionalInt.of(conf.getInt("spark.cores.max", 1) / executorCores(conf));
    }
    int instances = conf.getInt("spark.executor.instances", -1);
    return instances < 0 ? OptionalInt.empty() : OptionalInt.of(instances);
  }

  /** The settings behind {@link #totalSlots}, for messages; empty if the master URL says it all. */
  static String limit(SparkConf conf) {
    String master = conf.get("spark.master", "");
    if (master.startsWith(STANDALONE)) {
      return " (spark.cores.max %s / spark.executor.cores %d)"
          .formatted(conf.get("spark.cores.max"), executorCores(conf));
    }
    return master.startsWith("local") ? "" : " (spark.executor.instances)";
  }

  /** Whether tasks run as threads of the driver. */
  static boolean isLocal(SparkConf conf) {
    return LOCAL.matcher(conf.get("spark.master", "")).matches();
  }
}
