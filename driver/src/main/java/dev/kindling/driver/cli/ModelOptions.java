package dev.kindling.driver.cli;

import dev.kindling.driver.launch.DeviceChoice;
import java.util.Optional;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** The model and where it runs, shared by the commands that put one to work. */
final class ModelOptions {
  @Parameters(
      paramLabel = "MODEL_OR_RUN",
      description = "Hugging Face model directory or run folder.")
  private String model;

  @Option(
      names = "--device",
      paramLabel = "auto|cpu|cuda",
      description = "Default auto: a GPU if one is usable for the model, else the CPU.")
  private DeviceChoice device = DeviceChoice.AUTO;

  @Option(
      names = "--context",
      paramLabel = "N",
      description = {
        "Tokens that the model sees at once; default the sequence length of a run, of a model",
        "directory its context up to 1024."
      })
  private Optional<Integer> context = Optional.empty();

  ModelSource source() {
    return new ModelSource(model, device, context);
  }
}
