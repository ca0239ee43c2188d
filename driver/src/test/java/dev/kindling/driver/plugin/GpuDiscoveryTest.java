package dev.kindling.driver.plugin;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.kernels.backend.cuda.VisibleGpus;
import java.util.Optional;
import org.apache.spark.SparkConf;
import org.apache.spark.resource.ResourceID;
import org.apache.spark.resource.ResourceRequest;
import org.junit.jupiter.api.Test;

class GpuDiscoveryTest {
  private static Optional<String[]> addresses(String resource, long amount, String master) {
    ResourceRequest request =
        new ResourceRequest(
            new ResourceID("spark.worker", resource), amount, Optional.empty(), Optional.empty());
    return new GpuDiscovery()
        .discoverResource(request, new SparkConf(false).setMaster(master))
        .map(found -> found.addresses());
  }

  @Test
  void anEmbeddedMasterIsToldTheOrdinalsThatItAsksFor() {
    assertThat(addresses("gpu", 3, "local-cluster[1,3,3072]"))
        .hasValue(new String[] {"0", "1", "2"});
  }

  @Test
  void aMachineOfAClusterTellsTheGpusThatItHas() {
    int present = VisibleGpus.ofThisProcess().count();
    assertThat(addresses("gpu", 64, "spark://h:7077"))
        .hasValueSatisfying(found -> assertThat(found).hasSize(present));
  }

  @Test
  void otherResourcesAreLeftToOthers() {
    assertThat(addresses("fpga", 1, "spark://h:7077")).isEmpty();
  }
}
