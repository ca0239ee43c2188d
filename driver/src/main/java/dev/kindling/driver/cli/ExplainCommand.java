package dev.kindling.driver.cli;

import dev.kindling.configs.yaml.Bound;
import dev.kindling.configs.yaml.ConfigDocument;
import dev.kindling.worker.plan.PlanReader;
import dev.kindling.worker.plan.TrainPlan;
import dev.kindling.worker.pretrained.PretrainedPlan;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code explain CONFIG.yaml}. */
@Command(
    name = "explain",
    mixinStandardHelpOptions = true,
    description = {
      "Prints what a configuration means, without starting a worker:",
      "resolved values and their origin, graph, memory, FLOPs, communication."
    })
final class ExplainCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Parameters(paramLabel = "CONFIG.yaml", description = "Configuration of the run.")
  private Path config;

  @Mixin private SetOptions sets = new SetOptions();

  @Override
  public Integer call() {
    Bound<TrainPlan> bound =
        PretrainedPlan.describe(PlanReader.read(ConfigDocument.read(config), sets.assignments()));
    spec.commandLine().getOut().print(new ExplainPage(bound).text());
    return ExitCodes.DONE;
  }
}
