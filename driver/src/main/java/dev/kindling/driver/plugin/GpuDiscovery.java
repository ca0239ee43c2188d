package dev.kindling.driver.plugin;

import dev.kindling.kernels.backend.cuda.VisibleGpus;
import java.util.Optional;
import java.util.stream.IntStream;
import org.apache.spark.SparkConf;
import org.apache.spark.api.resource.ResourceDiscoveryPlugin;
import org.apache.spark.resource.ResourceInformation;
import org.apache.spark.resource.ResourceRequest;

/**
 * Tells Spark the GPUs of a machine without a script: {@code spark.resources.discoveryPlugin}.
 * Their addresses are CUDA's ordinals within this process's environment, 0 to n - 1. A master of
 * this machine alone is told as many as it asks for: its worker would end the driver's process
 * without a word if there were fewer, and the driver looks at the real ones at the same time.
 */
public final class GpuDiscovery implements ResourceDiscoveryPlugin {
  private static final String GPU = "gpu";

  @Override
  public Optional<ResourceInformation> discoverResource(ResourceRequest request, SparkConf conf) {
    if (!request.id().resourceName().equals(GPU)) {
      return Optional.empty(); // For the next plugin, or Spark's own scripts.
    }
    boolean embedded = conf.get("spark.master", "").startsWith("local-cluster");
    int count = embedded ? Math.toIntExact(request.amount()) : VisibleGpus.ofThisProcess().count();
    String[] addresses = IntStream.range(0, count).mapToObj(String::valueOf).toArray(String[]::new);
    return Optional.of(new ResourceInformation(GPU, addresses));
  }
}
