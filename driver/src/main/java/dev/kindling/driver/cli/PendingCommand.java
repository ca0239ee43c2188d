package dev.kindling.driver.cli;

import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** A command of the contract whose capability is not part of this version: says so, exit code 2. */
@Command(mixinStandardHelpOptions = true)
final class PendingCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Parameters(arity = "0..*", hidden = true)
  private String[] ignored = {};

  private final String capability;

  private PendingCommand(String capability) {
    this.capability = capability;
  }

  static CommandLine of(String summary, String capability) {
    CommandLine line = new CommandLine(new PendingCommand(capability));
    line.getCommandSpec()
        .usageMessage()
        .description(summary + " (not in this version: comes with " + capability + ")");
    line.setUnmatchedArgumentsAllowed(true);
    return line;
  }

  @Override
  public Integer call() {
    spec.commandLine()
        .getErr()
        .println("kindling: " + spec.name() + " is not in this version: comes with " + capability);
    return ExitCodes.CONFIGURATION;
  }
}
