package dev.kindling.driver.cli;

import dev.kindling.worker.checkpoint.SafetensorsType;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code export RUN_OR_MODEL --to DIR}. */
@Command(
    name = "export",
    mixinStandardHelpOptions = true,
    description = {
      "Writes the newest checkpoint of a run as a Hugging Face model directory,",
      "or a model directory once more, for example with weights of another type."
    })
final class ExportCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  /** Types of weights by their names in config.json. */
  enum WeightType {
    FLOAT32(SafetensorsType.F32),
    FLOAT16(SafetensorsType.F16),
    BFLOAT16(SafetensorsType.BF16);

    private final SafetensorsType stored;

    WeightType(SafetensorsType stored) {
      this.stored = stored;
    }

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  @Parameters(paramLabel = "RUN_OR_MODEL", description = "Folder of the run or model directory.")
  private String source;

  @Option(names = "--to", required = true, paramLabel = "DIR", description = "Folder to write.")
  private String target;

  @Option(
      names = "--dtype",
      paramLabel = "TYPE",
      description = {
        "float32, bfloat16 or float16, rounded to the nearest; default: that of the model",
        "from which the run began, else float32. Not for an adapter, which stays float32."
      })
  private Optional<WeightType> dtype = Optional.empty();

  @Option(
      names = "--merge",
      description = {
        "Merges an adapter into its base and writes the whole model; without it a run with an",
        "adapter becomes a PEFT directory. A run without an adapter is whole anyway."
      })
  private boolean merge;

  @Option(
      names = "--recover",
      paramLabel = "MODEL_DIR",
      description = {
        "The model of which prune --structured made the one that the run's adapter was trained on:",
        "writes the adapter for it, or with --merge that model with the adapter in its weights."
      })
  private Optional<String> recover = Optional.empty();

  private final CommandBodies bodies;

  ExportCommand(CommandBodies bodies) {
    this.bodies = bodies;
  }

  @Override
  public Integer call() throws Exception {
    return bodies.export(
        new CommandBodies.ExportRequest(
            source, target, dtype.map(type -> type.stored), merge, recover),
        spec.commandLine().getOut());
  }
}
