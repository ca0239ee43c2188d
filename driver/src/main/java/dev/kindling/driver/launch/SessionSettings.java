package dev.kindling.driver.launch;

import dev.kindling.driver.plugin.KindlingPlugin;
import dev.kindling.worker.launch.AttemptFailedException;
import dev.kindling.worker.launch.FailureKind;
import dev.kindling.worker.plan.Device;
import dev.kindling.worker.plan.Redaction;
import dev.kindling.worker.plan.SparkSpec;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.spark.SparkConf;

/**
 * What the context of somebody else's program must bring, since a running one can be told nothing
 * any more.
 */
final class SessionSettings {
  private static final String PLUGINS = "spark.plugins";

  private SessionSettings() {}

  /**
   * @param running settings of the context
   * @throws AttemptFailedException of kind CONFIGURATION with everything that is wrong, one a line
   */
  static void require(SparkConf running, SparkSpec spec, Device device) {
    List<String> conflicts = new ArrayList<>();
    Map<String, String> wanted = new TreeMap<>(spec.conf());
    spec.master().ifPresent(master -> wanted.put("spark.master", master));
    wanted.forEach(
        (key, value) -> {
          if (!running.get(key, "").equals(value)) {
            conflicts.add(
                "%s: the configuration says %s, the session that runs has %s; set it where the session is made"
                    .formatted(
                        key,
                        Redaction.shown(key, value),
                        running.contains(key) ? Redaction.shown(key, running.get(key)) : "none"));
          }
        });
    String plugin = KindlingPlugin.class.getName();
    if (Arrays.stream(running.get(PLUGINS, "").split(",", -1))
        .noneMatch(name -> name.strip().equals(plugin))) {
      conflicts.add(
          PLUGINS
              + ": expected "
              + plugin
              + " among the settings of the session, found "
              + running.get(PLUGINS, "none")
              + "; set it where the session is made, or launcher: threads");
    }
    if (running.getBoolean("spark.dynamicAllocation.enabled", false)) {
      conflicts.add(
          "spark.dynamicAllocation.enabled: expected false, found true:"
              + " all ranks of a run start together and live together");
    }
    conflicts.addAll(SparkSecurity.refusals(running));
    if (!conflicts.isEmpty()) {
      throw new AttemptFailedException(
          FailureKind.CONFIGURATION, -1, String.join("\n", conflicts), null);
    }
    if (SparkSettings.isLocal(running)) {
      WorkerJvm.limitThisJvm(device);
    }
  }
}
