package dev.kindling.driver.cli;

import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code experiment FILE.yaml}. */
@Command(
    name = "experiment",
    mixinStandardHelpOptions = true,
    description = {
      "Runs a grid or list of variations of one configuration.",
      "Called again, it repeats no finished run and resumes broken ones."
    })
final class ExperimentCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Parameters(paramLabel = "FILE.yaml", description = "The experiment.")
  private Path file;

  private final CommandBodies bodies;

  ExperimentCommand(CommandBodies bodies) {
    this.bodies = bodies;
  }

  @Override
  public Integer call() throws Exception {
    return bodies.experiment(file, spec.commandLine().getOut());
  }
}
