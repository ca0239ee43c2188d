package dev.kindling.driver.cli;

import dev.kindling.worker.plan.TrainPlan;
import java.util.List;

/**
 * A resolved run in a folder that nobody else works on.
 *
 * @param resume whether the newest checkpoint must be used; otherwise the run is new
 * @param warnings lines to show before the run starts
 * @param firstStep to be called once the first step is done: the configuration has proved to work
 */
public record RunRequest(
    TrainPlan plan,
    String runDir,
    boolean resume,
    ProgressMode progress,
    List<String> warnings,
    Runnable firstStep) {
  public RunRequest {
    warnings = List.copyOf(warnings);
  }
}
