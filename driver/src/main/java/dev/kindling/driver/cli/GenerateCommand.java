package dev.kindling.driver.cli;

import dev.kindling.kernels.graph.PlanException;
import dev.kindling.worker.generate.Sampling;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code generate MODEL_OR_RUN --prompt TEXT}. */
@Command(
    name = "generate",
    mixinStandardHelpOptions = true,
    description = "Samples text from a model directory or run folder, shown as it comes.")
final class GenerateCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Mixin private ModelOptions model = new ModelOptions();

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

  @Option(
      names = "--top-k",
      paramLabel = "K",
      description = "Only the K most likely tokens (default ${DEFAULT-VALUE}: all).")
  private int topK;

  @Option(
      names = "--top-p",
      paramLabel = "P",
      description =
          "Only the most likely tokens that reach this probability (default ${DEFAULT-VALUE}).")
  private double topP = 1;

  private final CommandBodies bodies;

  GenerateCommand(CommandBodies bodies) {
    this.bodies = bodies;
  }

  @Override
  public Integer call() throws Exception {
    return bodies.generate(
        new CommandBodies.GenerateRequest(model.source(), prompt, tokens, sampling()),
        spec.commandLine().getOut(),
        spec.commandLine().getErr());
  }

  private Sampling sampling() {
    try {
      return new Sampling(temperature, topK, topP, seed);
    } catch (IllegalArgumentException e) {
      throw new PlanException(String.valueOf(e.getMessage()));
    }
  }
}
