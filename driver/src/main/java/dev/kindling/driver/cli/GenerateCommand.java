package dev.kindling.driver.cli;

import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code generate MODEL_OR_RUN --prompt TEXT}. */
@Command(
    name = "generate",
    mixinStandardHelpOptions = true,
    description = "Samples text from a model directory or run folder.")
final class GenerateCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Parameters(
      paramLabel = "MODEL_OR_RUN",
      description = "Hugging Face model directory or run folder.")
  private String model;

  @Option(names = "--prompt", required = true, paramLabel = "TEXT", description = "Text to go on.")
  private String prompt;

  @Option(
      names = "--tokens",
      paramLabel = "N",
      description = "Tokens to add (default ${DEFAULT-VALUE}).")
  private int tokens = 200;

  @Option(
      names = "--seed",
      paramLabel = "S",
      description = "Same seed, same text (default ${DEFAULT-VALUE}).")
  private long seed = 1;

  @Option(
      names = "--temperature",
      paramLabel = "T",
      description = "0 picks the most likely token (default ${DEFAULT-VALUE}).")
  private double temperature = 0.8;

  private final CommandBodies bodies;

  GenerateCommand(CommandBodies bodies) {
    this.bodies = bodies;
  }

  @Override
  public Integer call() throws Exception {
    return bodies.generate(
        new CommandBodies.GenerateRequest(model, prompt, tokens, seed, temperature),
        spec.commandLine().getOut());
  }
}
