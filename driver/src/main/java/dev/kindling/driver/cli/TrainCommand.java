package dev.kindling.driver.cli;

import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code train CONFIG.yaml}. */
@Command(
    name = "train",
    mixinStandardHelpOptions = true,
    description = "Plans, starts the workers, trains, saves checkpoints and reports.")
final class TrainCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Parameters(paramLabel = "CONFIG.yaml", description = "Configuration of the run.")
  private Path config;

  @Mixin private SetOptions sets = new SetOptions();

  @Option(
      names = "--run-dir",
      paramLabel = "DIR",
      description = "Folder of the run; default: runs/NAME-DATE-TIME.")
  private Optional<String> runDir = Optional.empty();

  @Option(names = "--progress", paramLabel = "MODE", description = "auto (default), plain or off.")
  private ProgressMode progress = ProgressMode.AUTO;

  private final CommandBodies bodies;

  TrainCommand(CommandBodies bodies) {
    this.bodies = bodies;
  }

  @Override
  public Integer call() throws Exception {
    RunRequest request = RunFolder.start(config, sets.assignments(), runDir, progress);
    return bodies.train(request, spec.commandLine().getOut());
  }
}
