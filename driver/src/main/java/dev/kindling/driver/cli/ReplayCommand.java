package dev.kindling.driver.cli;

import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code replay LOG BASE}. */
@Command(
    name = "replay",
    mixinStandardHelpOptions = true,
    description = {
      "Rebuilds the weights of a run of optimizer mezo from its log, bit for bit,",
      "without data and without forward passes."
    },
    footer = {
      "",
      "Exit codes: 0 done; 2 the log and BASE do not fit; 4 damaged files;",
      "7 the weights differ from those of --check."
    })
final class ReplayCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Parameters(
      index = "0",
      paramLabel = "LOG",
      description = "Folder of the run, its folder slopes, or one file of it.")
  private Path log;

  @Parameters(
      index = "1",
      paramLabel = "BASE",
      description = {
        "Where the weights begin: the word seed for the first weights that the run drew,",
        "a model directory, or the folder of a run for its oldest checkpoint."
      })
  private String base;

  @Option(names = "--to", paramLabel = "DIR", description = "Model directory to write.")
  private Optional<Path> target = Optional.empty();

  @Option(
      names = "--check",
      paramLabel = "RUN",
      description = "Stops at the step of this run's newest checkpoint and compares the weights.")
  private Optional<String> check = Optional.empty();

  @Override
  public Integer call() throws Exception {
    return new WeightReplay(log, base, spec.commandLine().getOut()).run(check, target);
  }
}
