package dev.kindling.driver.cli;

import dev.kindling.driver.launch.RunMirror;
import dev.kindling.worker.plan.TrainPlan;
import dev.kindling.worker.store.StorageLocation;
import java.util.List;

/**
 * A resolved run in a folder that nobody else works on.
 *
 * @param files the driver's own files of the folder, as local ones
 * @param resume whether the newest checkpoint must be used; otherwise the run is new
 * @param warnings lines to show before the run starts
 * @param firstStep to be called once the first step is done: the configuration has proved to work
 */
public record RunRequest(
    TrainPlan plan,
    StorageLocation runDir,
    RunMirror files,
    boolean resume,
    ProgressMode progress,
    List<String> warnings,
    Runnable firstStep) {
  public RunRequest {
    warnings = List.copyOf(warnings);
  }
}
