package dev.kindling.driver.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code resume RUN_DIR}. */
@Command(
    name = "resume",
    mixinStandardHelpOptions = true,
    description = "Goes on from the newest valid checkpoint of a run; never starts afresh.")
final class ResumeCommand implements Callable<Integer> {
  @Parameters(paramLabel = "RUN_DIR", description = "Folder of the run.")
  private String runDir;

  @Mixin private RunOptions options = new RunOptions();

  @Option(
      names = "--accept-change",
      paramLabel = "KEY",
      description = "Allows --set to change this key or section although it alters the experiment.")
  private List<String> accepted = new ArrayList<>();

  private final CommandBodies bodies;

  ResumeCommand(CommandBodies bodies) {
    this.bodies = bodies;
  }

  @Override
  public Integer call() throws Exception {
    try (RunFolder folder = RunFolder.ownRun(runDir)) {
      return options.run(
          folder.resume(options.assignments(), accepted, options.progress()), bodies);
    }
  }
}
