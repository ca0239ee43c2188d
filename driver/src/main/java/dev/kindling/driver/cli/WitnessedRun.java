package dev.kindling.driver.cli;

import dev.kindling.driver.launch.HistoryFile;
import dev.kindling.driver.launch.RunObserver;
import dev.kindling.worker.event.report.Report;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Clock;
import java.util.Map;
import java.util.function.Consumer;

/**
 * A run whose story is kept and told: {@code history.jsonl} while it lasts, {@code report.html} at
 * its end, however it ends.
 *
 * @param configYaml the resolved configuration, without secrets
 * @param environment what this driver runs on
 * @param say one-line messages for people
 */
record WitnessedRun(
    Path runDir,
    String configYaml,
    boolean resumed,
    Map<String, String> environment,
    Consumer<String> say) {

  /** A run that lets somebody watch. */
  @FunctionalInterface
  interface Body {
    int run(RunObserver witness) throws Exception;
  }

  /** Returns or throws what the body does. */
  int around(Body body) throws Exception {
    try (HistoryFile history = HistoryFile.open(runDir, Clock.systemUTC())) {
      history.driverStarts(resumed, environment);
      try {
        int code = body.run(history);
        history.driverEnds(code, "");
        return code;
      } catch (Exception | Error e) {
        history.driverEnds(ExitCodes.of(e), String.valueOf(e.getMessage()));
        throw e;
      } finally {
        report();
      }
    }
  }

  /** A page that cannot be written changes nothing about the run. */
  private void report() {
    try {
      Report.write(runDir, configYaml);
    } catch (IOException | RuntimeException e) {
      say.accept("no report.html: " + e);
    }
  }
}
