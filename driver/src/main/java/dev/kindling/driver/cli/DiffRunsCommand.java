package dev.kindling.driver.cli;

import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code diff-runs A B}. */
@Command(
    name = "diff-runs",
    mixinStandardHelpOptions = true,
    description = "Names the first step and the first tensor in which two runs differ.",
    footer = {"", "Exit codes: 0 no difference; 7 the runs differ; 2 no run; 4 damaged files."})
final class DiffRunsCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Parameters(index = "0", paramLabel = "A", description = "Folder of a run.")
  private String left;

  @Parameters(index = "1", paramLabel = "B", description = "Folder of another run.")
  private String right;

  private final CommandBodies bodies;

  DiffRunsCommand(CommandBodies bodies) {
    this.bodies = bodies;
  }

  @Override
  public Integer call() throws Exception {
    return bodies.diffRuns(left, right, spec.commandLine().getOut());
  }
}
