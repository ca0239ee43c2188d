package dev.kindling.driver.cli;

import dev.kindling.worker.plan.TrainPlan;
import java.util.List;

/**
 * A resolved run, its folder prepared and its {@code config.yaml} written.
 *
 * @param configYaml the text of {@code config.yaml}
 * @param resume whether the newest checkpoint must be used; otherwise the folder is new
 * @param warnings lines to show before the run starts
 */
public record RunRequest(
    TrainPlan plan,
    String configYaml,
    String runDir,
    boolean resume,
    ProgressMode progress,
    List<String> warnings) {
  public RunRequest {
    warnings = List.copyOf(warnings);
  }
}
