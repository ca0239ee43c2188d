package dev.kindling.driver.cli;

import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine.Option;

/** {@code --set}, shared by the commands that read a configuration. */
final class SetOptions {
  @Option(
      names = "--set",
      paramLabel = "PATH=VALUE",
      description = "Replaces one value of the configuration, e.g. optimizer.lr=0.001. Repeatable.")
  private List<String> assignments = new ArrayList<>();

  List<String> assignments() {
    return assignments;
  }
}
