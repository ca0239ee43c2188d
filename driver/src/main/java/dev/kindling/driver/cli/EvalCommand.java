package dev.kindling.driver.cli;

import dev.kindling.worker.data.BadLines;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code eval MODEL_OR_RUN --data PATH} and {@code --choices FILE.jsonl}. */
@Command(
    name = "eval",
    mixinStandardHelpOptions = true,
    description = "Loss and perplexity over texts, or the share of questions answered right.")
final class EvalCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Mixin private ModelOptions model = new ModelOptions();

  @Option(
      names = "--data",
      paramLabel = "PATH",
      description = {
        "A text file (one document), a file of JSON lines (.jsonl, one document a line) or",
        "the folder of a prepared set (its held-out side). Every token counts once."
      })
  private Optional<Path> data = Optional.empty();

  @Option(
      names = "--field",
      paramLabel = "NAME",
      description = "Member of a JSON line that holds the text (default ${DEFAULT-VALUE}).")
  private String field = "text";

  @Option(
      names = "--choices",
      paramLabel = "FILE.jsonl",
      description = {
        "Questions, one a line: {\"prompt\": TEXT, \"choices\": [TEXT, ...],",
        "\"answer\": INDEX_OR_TEXT}. The mean log-probability of a choice's tokens decides."
      })
  private Optional<Path> choices = Optional.empty();

  @Option(
      names = "--bad-lines",
      paramLabel = "fail|skip",
      description = "What a malformed line does (default ${DEFAULT-VALUE}).")
  private BadLines badLines = BadLines.FAIL;

  @Option(names = "--json", paramLabel = "FILE", description = "The figures as one JSON object.")
  private Optional<Path> json = Optional.empty();

  private final CommandBodies bodies;

  EvalCommand(CommandBodies bodies) {
    this.bodies = bodies;
  }

  @Override
  public Integer call() throws Exception {
    return bodies.eval(
        new EvalRequest(model.source(), data, field, choices, badLines, json),
        spec.commandLine().getOut(),
        spec.commandLine().getErr());
  }
}
