package dev.kindling.driver.launch;

import java.util.Optional;
import org.apache.spark.SparkConf;
import org.apache.spark.api.resource.ResourceDiscoveryPlugin;
import org.apache.spark.resource.ResourceInformation;
import org.apache.spark.resource.ResourceRequest;

/** A machine with three GPUs, for Spark. */
public final class FakeGpus implements ResourceDiscoveryPlugin {
  @Override
  public Optional<ResourceInformation> discoverResource(ResourceRequest request, SparkConf conf) {
    return Optional.of(new ResourceInformation("gpu", new String[] {"0", "1", "2"}));
  }
}
