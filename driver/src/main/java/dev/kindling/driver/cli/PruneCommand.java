package dev.kindling.driver.cli;

import dev.kindling.driver.launch.DeviceChoice;
import dev.kindling.worker.prune.Criterion;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code prune MODEL_DIR --to DIR}. */
@Command(
    name = "prune",
    mixinStandardHelpOptions = true,
    description = {
      "Writes a model directory with a share of its weights at zero or, with --structured,",
      "without a share of its heads and MLP channels. Embeddings, head and norms stay."
    })
final class PruneCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Parameters(paramLabel = "MODEL_DIR", description = "Hugging Face model directory.")
  private String source;

  @Option(names = "--to", required = true, paramLabel = "DIR", description = "Folder to write.")
  private Path target;

  @Option(
      names = "--method",
      paramLabel = "magnitude|wanda|random",
      description = {
        "What goes: the smallest weights of each matrix, the smallest products of weight and",
        "norm of its input in each row (wants --calibration), or a random choice",
        "(default ${DEFAULT-VALUE})."
      })
  private Criterion method = Criterion.MAGNITUDE;

  @Option(
      names = "--sparsity",
      paramLabel = "SHARE",
      description = "Share that goes (default ${DEFAULT-VALUE}, or that of the pattern).")
  private Optional<Double> sparsity = Optional.empty();

  @Option(
      names = "--pattern",
      paramLabel = "N:M",
      description = "Of every M neighbouring inputs of an output N stay, as 2:4 or 4:8.")
  private Optional<String> pattern = Optional.empty();

  @Option(
      names = "--structured",
      description = {
        "Takes out whole key-value groups with their query heads, and MLP channels, as many in",
        "every layer, and writes which ones stayed into kept.json: for LoRA on the smaller",
        "model, which export --recover carries over to the whole one."
      })
  private boolean structured;

  @Option(
      names = "--calibration",
      paramLabel = "PATH",
      description = "Texts for --method wanda: a text file, or JSON lines (.jsonl).")
  private Optional<Path> calibration = Optional.empty();

  @Option(
      names = "--field",
      paramLabel = "NAME",
      description = "Member of a JSON line that holds the text (default ${DEFAULT-VALUE}).")
  private String field = "text";

  @Option(
      names = "--samples",
      paramLabel = "N",
      description = "Windows of calibration texts (default ${DEFAULT-VALUE}).")
  private int samples = 128;

  @Option(
      names = "--context",
      paramLabel = "N",
      description = "Tokens of a window; default the context of the model up to 1024.")
  private Optional<Integer> context = Optional.empty();

  @Option(
      names = "--seed",
      paramLabel = "S",
      description = "Of --method random (default ${DEFAULT-VALUE}).")
  private long seed;

  @Option(
      names = "--device",
      paramLabel = "auto|cpu|cuda",
      description = "Where calibration runs. Default auto: a GPU if one is usable, else the CPU.")
  private DeviceChoice device = DeviceChoice.AUTO;

  @Override
  public Integer call() throws Exception {
    PruneRequest.Calibration texts =
        new PruneRequest.Calibration(calibration, field, samples, context, device);
    new ModelPruning(
            new PruneRequest(source, target, method, sparsity, pattern, structured, seed, texts),
            spec.commandLine().getOut(),
            spec.commandLine().getErr())
        .run();
    return ExitCodes.DONE;
  }
}
