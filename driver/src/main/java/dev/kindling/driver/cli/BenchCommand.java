package dev.kindling.driver.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;
import picocli.CommandLine.Unmatched;

/** {@code bench NAME}: known here for {@code --help}; bin/kindling starts the benchmarks itself. */
@Command(
    name = "bench",
    mixinStandardHelpOptions = true,
    description = {
      "Runs one benchmark; results are lines RESULT name value unit.",
      "Needs a clone of the repository: bin/kindling bench NAME [options]."
    })
final class BenchCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Unmatched private List<String> ignored = new ArrayList<>();

  @Override
  public Integer call() {
    spec.commandLine()
        .getErr()
        .println("kindling: benchmarks run from a clone: bin/kindling bench NAME");
    return ExitCodes.CONFIGURATION;
  }
}
