package dev.kindling.driver.cli;

import dev.kindling.configs.yaml.ConfigDocument;
import dev.kindling.worker.plan.PlanReader;
import dev.kindling.worker.pretrained.PretrainedPlan;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code data corpus | prepare | inspect}. */
@Command(
    name = "data",
    mixinStandardHelpOptions = true,
    description = "Builds the pinned corpus, prepares training data, shows prepared data.")
final class DataCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  private final CommandBodies bodies;

  DataCommand(CommandBodies bodies) {
    this.bodies = bodies;
  }

  @Override
  public Integer call() {
    throw new ParameterException(
        spec.commandLine(), "Missing required subcommand: corpus, prepare or inspect");
  }

  @Command(
      mixinStandardHelpOptions = true,
      description = "Fetches the pinned sources jars and writes the corpus as text.")
  int corpus(@Parameters(paramLabel = "DIR", description = "Folder to fill.") Path folder)
      throws Exception {
    return bodies.dataCorpus(folder, spec.commandLine().getOut());
  }

  @Command(
      mixinStandardHelpOptions = true,
      description = "Tokenises and packs the data of a configuration into token shards.")
  int prepare(
      @Parameters(paramLabel = "CONFIG.yaml", description = "Configuration of the run.")
          Path config,
      @Mixin SetOptions sets)
      throws Exception {
    return bodies.dataPrepare(
        PretrainedPlan.describe(PlanReader.read(ConfigDocument.read(config), sets.assignments()))
            .value(),
        spec.commandLine().getOut());
  }

  @Command(mixinStandardHelpOptions = true, description = "Shows what a prepared set holds.")
  int inspect(
      @Parameters(paramLabel = "PATH", description = "Folder of a prepared set.") String path)
      throws Exception {
    return bodies.dataInspect(path, spec.commandLine().getOut());
  }
}
