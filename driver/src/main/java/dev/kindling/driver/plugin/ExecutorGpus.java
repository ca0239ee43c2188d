package dev.kindling.driver.plugin;

import org.apache.spark.api.plugin.PluginContext;
import org.apache.spark.resource.ResourceInformation;

/**
 * The GPUs that Spark gave to this executor, which its tasks see only where they claim one. Ranks
 * claim theirs in a profile of their own; a stage of rows cannot have one.
 */
public final class ExecutorGpus {
  private static final String GPU = "gpu";

  private static volatile String[] addresses = {};

  private ExecutorGpus() {}

  static void connect(PluginContext context) {
    ResourceInformation gpus = context.resources().get(GPU);
    addresses = gpus == null ? new String[0] : gpus.addresses();
  }

  /** None without the plugin, and none in local mode. */
  public static String[] addresses() {
    return addresses.clone();
  }
}
