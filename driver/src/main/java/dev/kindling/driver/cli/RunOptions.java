package dev.kindling.driver.cli;

import java.util.List;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** What {@code train} and {@code resume} have in common: options, and how a run is started. */
final class RunOptions {
  @Spec(Spec.Target.MIXEE)
  private CommandSpec command;

  @Mixin private SetOptions sets = new SetOptions();

  @Option(
      names = "--progress",
      paramLabel = "MODE",
      description = "auto (default), plain, steps (plain, no sample of text at the end) or off.")
  private ProgressMode progress = ProgressMode.AUTO;

  List<String> assignments() {
    return sets.assignments();
  }

  ProgressMode progress() {
    return progress;
  }

  /** Shows the warnings, then runs; returns the exit code. */
  int run(RunRequest request, CommandBodies bodies) throws Exception {
    request.warnings().forEach(line -> command.commandLine().getErr().println("kindling: " + line));
    return bodies.train(request, command.commandLine().getOut());
  }
}
