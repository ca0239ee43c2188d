package dev.kindling.driver.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code resume RUN_DIR}. */
@Command(
    name = "resume",
    mixinStandardHelpOptions = true,
    description = "Goes on from the newest valid checkpoint of a run; never starts afresh.")
final class ResumeCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Parameters(paramLabel = "RUN_DIR", description = "Folder of the run.")
  private String runDir;

  @Mixin private SetOptions sets = new SetOptions();

  @Option(
      names = "--accept-change",
      paramLabel = "KEY",
      description = "Allows --set to change this key or section although it alters the experiment.")
  private List<String> accepted = new ArrayList<>();

  @Option(names = "--progress", paramLabel = "MODE", description = "auto (default), plain or off.")
  private ProgressMode progress = ProgressMode.AUTO;

  private final CommandBodies bodies;

  ResumeCommand(CommandBodies bodies) {
    this.bodies = bodies;
  }

  @Override
  public Integer call() throws Exception {
    RunRequest request = RunFolder.resume(runDir, sets.assignments(), accepted, progress);
    request.warnings().forEach(w -> spec.commandLine().getErr().println("kindling: " + w));
    return bodies.train(request, spec.commandLine().getOut());
  }
}
