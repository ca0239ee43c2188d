package dev.kindling.driver.cli;

import dev.kindling.driver.doctor.Examination;
import dev.kindling.driver.launch.SparkApplication;
import java.io.PrintWriter;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The root command: all commands of the contract under one name. */
@Command(
    name = "kindling",
    mixinStandardHelpOptions = true,
    description = "Trains language models on Apache Spark.",
    footer = {
      "",
      "Exit codes: 0 done; 1 unexpected; 2 command line or configuration; 3 data;",
      "4 checkpoint; 5 device; 6 communication or a lost worker; 7 runs differ (diff-runs);",
      "130, 143 interrupted."
    })
public final class Kindling implements Runnable {
  @Spec private CommandSpec spec;

  private Kindling() {}

  /** Runs one command; never throws. Returns the exit code of the contract. */
  public static int execute(
      CommandBodies bodies, PrintWriter out, PrintWriter err, String... arguments) {
    CommandLine line = new CommandLine(new Kindling());
    line.addSubcommand(new TrainCommand(bodies));
    line.addSubcommand(new ResumeCommand(bodies));
    line.addSubcommand(new ExperimentCommand(bodies));
    line.addSubcommand(new ExplainCommand());
    line.addSubcommand(new DataCommand(bodies));
    line.addSubcommand(new GenerateCommand(bodies));
    line.addSubcommand(new ExportCommand(bodies));
    line.addSubcommand(new BenchCommand());
    line.addSubcommand(new EvalCommand(bodies));
    line.addSubcommand(new DoctorCommand(new Examination(SparkApplication::openDoors)::examine));
    line.addSubcommand(new LogsCommand());
    line.addSubcommand(new DiffRunsCommand(bodies));
    line.addSubcommand(new ReplayCommand());
    line.addSubcommand(new PruneCommand());
    line.setOut(out).setErr(err);
    line.setCaseInsensitiveEnumValuesAllowed(true);
    line.setExecutionExceptionHandler(
        (failure, command, result) -> ExitCodes.report(failure, command.getErr()));
    line.setParameterExceptionHandler(Kindling::refuse);
    int code = line.execute(arguments);
    out.flush();
    err.flush();
    return code;
  }

  private static int refuse(ParameterException e, String[] arguments) {
    CommandLine command = e.getCommandLine();
    PrintWriter err = command.getErr();
    err.println("kindling: " + e.getMessage());
    if (!CommandLine.UnmatchedArgumentException.printSuggestions(e, err)) {
      err.println("Usage: " + command.getHelp().synopsis(0).trim());
    }
    err.println("More: " + command.getCommandSpec().qualifiedName() + " --help");
    err.flush();
    return ExitCodes.CONFIGURATION;
  }

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "Missing required command");
  }
}
