package dev.kindling.driver.cli;

import java.io.PrintWriter;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code logs RUN_DIR}. */
@Command(
    name = "logs",
    mixinStandardHelpOptions = true,
    description = "Shows what the ranks of a run logged, in the order of time.",
    footer = {"", "The files are RUN_DIR/logs/rank-N.log. Exit codes: 0 shown; 2 no logs."})
final class LogsCommand implements Callable<Integer> {
  private static final long FOLLOW_MILLIS = 500;

  @Spec private CommandSpec spec;

  @Parameters(index = "0", paramLabel = "RUN_DIR", description = "Folder of a run.")
  private String runDir;

  @Option(names = "--rank", paramLabel = "N", description = "Only this rank; default: all.")
  private Optional<Integer> rank = Optional.empty();

  @Option(
      names = "--lines",
      paramLabel = "N",
      description = "How many of the last lines; default: ${DEFAULT-VALUE}.")
  private int lines = 100;

  @Option(
      names = {"-f", "--follow"},
      description = "Goes on with lines as they come, until Ctrl-C.")
  private boolean follow;

  @Override
  public Integer call() throws Exception {
    PrintWriter out = spec.commandLine().getOut();
    RunLogs logs = RunLogs.of(runDir, rank);
    logs.last(Math.max(0, lines)).forEach(out::println);
    // A reader that went away, such as head, shows as an error.
    while (follow && !out.checkError()) {
      TimeUnit.MILLISECONDS.sleep(FOLLOW_MILLIS);
      logs.more().forEach(out::println);
    }
    return ExitCodes.DONE;
  }
}
