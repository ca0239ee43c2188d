package dev.kindling.driver.cli;

import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code export RUN_DIR --to DIR}. */
@Command(
    name = "export",
    mixinStandardHelpOptions = true,
    description = "Writes the newest checkpoint of a run as a Hugging Face model directory.")
final class ExportCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Parameters(paramLabel = "RUN_DIR", description = "Folder of the run.")
  private String runDir;

  @Option(names = "--to", required = true, paramLabel = "DIR", description = "Folder to write.")
  private String target;

  @Option(
      names = "--merge",
      description = "Merges an adapter into its base; a run without an adapter is whole anyway.")
  private boolean merge;

  private final CommandBodies bodies;

  ExportCommand(CommandBodies bodies) {
    this.bodies = bodies;
  }

  @Override
  public Integer call() throws Exception {
    if (merge) {
      spec.commandLine()
          .getErr()
          .println("kindling: the run has no adapter; --merge changes nothing");
    }
    return bodies.export(runDir, target, spec.commandLine().getOut());
  }
}
