package dev.kindling.driver.launch;

import dev.kindling.driver.plugin.ExecutorGpus;
import dev.kindling.driver.plugin.KindlingPlugin;
import dev.kindling.kernels.backend.DeviceException;
import java.util.OptionalInt;
import org.apache.spark.SparkConf;
import org.apache.spark.SparkEnv;
import org.apache.spark.TaskContext;
import org.apache.spark.resource.ResourceInformation;

/**
 * Where a model is put that is not being trained.
 *
 * @param gpu ordinal among the GPUs that this process sees, if it comes to one
 * @param threads of the CPU, if it comes to that
 */
public record ModelPlace(DeviceChoice device, int gpu, int threads) {
  private static final String DRIVER = "driver";

  /** This process: the first GPU, all cores. */
  public static ModelPlace here(DeviceChoice device) {
    return new ModelPlace(device, 0, Runtime.getRuntime().availableProcessors());
  }

  /**
   * A Spark task: the GPU that it claimed, else that of its executor; in local mode as {@link
   * #here}. An executor that Spark gave none leaves the GPUs of its host to others, unless one is
   * asked for.
   *
   * @throws DeviceException if a GPU is asked for, and which one is this executor's is not known
   */
  public static ModelPlace ofTask(DeviceChoice device, TaskContext task, int threads) {
    SparkEnv executor = SparkEnv.get();
    ResourceInformation claimed = task.resourcesJMap().get(GpuSettings.GPU);
    OptionalInt gpu =
        claimed == null
            ? ordinal(ExecutorGpus.addresses())
            : OptionalInt.of(RankFunction.ordinal(claimed.addresses()));
    return ofExecutor(device, gpu, executor.executorId().equals(DRIVER), executor.conf(), threads);
  }

  private static OptionalInt ordinal(String[] addresses) {
    return addresses.length == 0
        ? OptionalInt.empty()
        : OptionalInt.of(RankFunction.ordinal(addresses));
  }

  /**
   * @param given GPU that Spark gave to the task or its executor
   * @param local whether tasks are threads of the driver
   */
  static ModelPlace ofExecutor(
      DeviceChoice device, OptionalInt given, boolean local, SparkConf conf, int threads) {
    if (device == DeviceChoice.CPU || given.isPresent() || local) {
      return new ModelPlace(device, given.orElse(0), threads);
    }
    if (device == DeviceChoice.AUTO) {
      return new ModelPlace(DeviceChoice.CPU, 0, threads);
    }
    if (GpuSettings.scheduled(conf)) {
      throw new DeviceException(
          "device: cuda: expected a GPU that Spark gave to this task or its executor, found none; "
              + "spark.plugins=%s tells the executor's, spark.task.resource.gpu.amount claims one"
                  .formatted(KindlingPlugin.class.getName()));
    }
    return new ModelPlace(device, 0, threads);
  }
}
