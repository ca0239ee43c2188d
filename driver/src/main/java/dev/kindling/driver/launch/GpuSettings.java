package dev.kindling.driver.launch;

import dev.kindling.driver.plugin.GpuDiscovery;
import dev.kindling.worker.launch.AttemptFailedException;
import dev.kindling.worker.launch.FailureKind;
import dev.kindling.worker.plan.Device;
import java.io.File;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.apache.spark.SparkConf;

/**
 * What {@code device: cuda} asks of Spark: executors of one GPU each, the CUDA bindings on their
 * class path, the libraries' folder in their environment. One executor JVM is one GPU is one rank;
 * the task's claim stands in a profile of its own, so that preparing data needs no GPU. {@code
 * spark.executor.resource.gpu.amount: 0} leaves GPUs out of Spark's hands: the ranks of a host then
 * take its GPUs in their order.
 */
final class GpuSettings {
  static final String GPU = "gpu";
  static final String AMOUNT = "spark.executor.resource.gpu.amount";

  private static final String WORKER_AMOUNT = "spark.worker.resource.gpu.amount";
  private static final String DISCOVERY = "spark.resources.discoveryPlugin";
  private static final String SCRIPT = "spark.executor.resource.gpu.discoveryScript";
  private static final String LIBRARIES = "LD_LIBRARY_PATH";
  private static final String EXECUTOR_LIBRARIES = "spark.executorEnv." + LIBRARIES;

  private GpuSettings() {}

  /**
   * For executors that the embedded master starts on this machine.
   *
   * @param bindings jars of the CUDA bindings
   */
  static void embedded(SparkConf conf, int ranks, List<Path> bindings) {
    heap(conf);
    String jars =
        bindings.stream().map(Path::toString).collect(Collectors.joining(File.pathSeparator));
    if (!jars.isEmpty()) {
      SparkSettings.append(conf, "spark.executor.extraClassPath", File.pathSeparator, jars);
    }
    conf.setIfMissing(AMOUNT, "1");
    if (scheduled(conf)) {
      conf.setIfMissing(WORKER_AMOUNT, String.valueOf(ranks * conf.getInt(AMOUNT, 1)));
      conf.setIfMissing(DISCOVERY, GpuDiscovery.class.getName());
    }
  }

  /**
   * @param workers that a master of this machine starts; each counts the GPUs from 0
   * @throws AttemptFailedException of kind CONFIGURATION if two of them would hand out the same GPU
   */
  static void requireOneWorker(SparkConf conf, int workers) {
    if (workers > 1 && scheduled(conf)) {
      throw new AttemptFailedException(
          FailureKind.CONFIGURATION,
          -1,
          "spark.master: expected local-cluster with one worker with device cuda (each would hand"
              + " out GPU 0), found "
              + conf.get("spark.master")
              + "; local-cluster[1,CORES,MEMORY] starts as many executors, %s: 0 takes GPUs without"
                  .formatted(AMOUNT)
              + " Spark's scheduling",
          null);
    }
  }

  /**
   * For executors of a cluster.
   *
   * @param bindings jars of the CUDA bindings, added to {@code spark.jars}
   */
  static void submitted(SparkConf conf, List<Path> bindings, Map<String, String> environment) {
    heap(conf);
    // Pinned buffers, context and libraries lie outside the heap; YARN and Kubernetes kill more.
    conf.setIfMissing("spark.executor.memoryOverhead", "8g");
    String fetched = conf.get("spark.jars", "") + conf.get("spark.yarn.dist.jars", "");
    for (Path jar : bindings) {
      if (!fetched.contains(String.valueOf(jar.getFileName()))) {
        SparkSettings.append(conf, "spark.jars", ",", jar.toString());
      }
    }
    String libraries = environment.getOrDefault(LIBRARIES, "");
    if (!libraries.isEmpty()) {
      conf.setIfMissing(EXECUTOR_LIBRARIES, libraries);
    }
    if (SparkSettings.isLocal(conf)) {
      return; // Tasks are threads here and get no addresses.
    }
    conf.setIfMissing(AMOUNT, "1");
    String master = conf.get("spark.master", "");
    if (scheduled(conf) && master.startsWith("k8s://")) {
      conf.setIfMissing("spark.executor.resource.gpu.vendor", "nvidia.com");
    }
    boolean workersDiscover = master.startsWith("spark://");
    if (scheduled(conf) && !workersDiscover && !conf.contains(SCRIPT)) {
      conf.setIfMissing(DISCOVERY, GpuDiscovery.class.getName());
    }
  }

  private static void heap(SparkConf conf) {
    conf.setIfMissing("spark.executor.memory", "2g");
  }

  /** Whether Spark hands out GPUs to the ranks. */
  static boolean scheduled(SparkConf conf) {
    return !SparkSettings.isLocal(conf) && conf.getInt(AMOUNT, 0) > 0;
  }

  /** What a run that got no executors should look at; empty for a CPU run. */
  static String hint(SparkConf conf, Device device) {
    if (device != Device.CUDA || !scheduled(conf)) {
      return "";
    }
    return "; each needs an executor with %s GPU: do the cluster's workers offer them (standalone: spark.worker.resource.gpu.amount)? %s: 0 takes GPUs without Spark's scheduling"
        .formatted(conf.get(AMOUNT), AMOUNT);
  }
}
