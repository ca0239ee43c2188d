package dev.kindling.driver.cli;

import dev.kindling.configs.yaml.ConfigDocument;
import dev.kindling.worker.plan.PlanReader;
import dev.kindling.worker.plan.TrainPlan;
import dev.kindling.worker.pretrained.PretrainedPlan;
import dev.kindling.worker.store.StorageLocation;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code train CONFIG.yaml}. */
@Command(
    name = "train",
    mixinStandardHelpOptions = true,
    description = "Plans, starts the workers, trains, saves checkpoints and reports.")
final class TrainCommand implements Callable<Integer> {
  @Parameters(paramLabel = "CONFIG.yaml", description = "Configuration of the run.")
  private Path config;

  @Mixin private RunOptions options = new RunOptions();

  @Option(
      names = "--run-dir",
      paramLabel = "DIR",
      description = "Folder of the run, a path or a URI; default: runs/NAME-DATE-TIME.")
  private Optional<String> runDir = Optional.empty();

  private final CommandBodies bodies;

  TrainCommand(CommandBodies bodies) {
    this.bodies = bodies;
  }

  @Override
  public Integer call() throws Exception {
    TrainPlan plan =
        PretrainedPlan.describe(PlanReader.read(ConfigDocument.read(config), options.assignments()))
            .value();
    String dir = runDir.orElseGet(() -> RunFolder.freshName(config));
    try (RunFolder folder = RunFolder.own(StorageLocation.of(dir), plan.spark().conf())) {
      return options.run(folder.start(plan, options.progress()), bodies);
    }
  }
}
