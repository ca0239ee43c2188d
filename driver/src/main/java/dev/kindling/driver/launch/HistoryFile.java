package dev.kindling.driver.launch;

import dev.kindling.kernels.fault.Failpoint;
import dev.kindling.worker.event.CheckpointSaved;
import dev.kindling.worker.event.StepDone;
import dev.kindling.worker.event.WorkerEvent;
import dev.kindling.worker.launch.AttemptFailedException;
import dev.kindling.worker.store.Json;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Clock;
import java.util.Locale;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * {@code history.jsonl}: what happened to a run over all its drivers, one object a line,
 * append-only: starts and ends of drivers and attempts, checkpoints. Only {@code report.html} reads
 * it, so that a failure to write costs lines of that page and nothing else. Every line is one write
 * that begins with a line break if the one before it was torn by a kill.
 */
public final class HistoryFile implements RunObserver, AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(HistoryFile.class);

  /** The first words of a failure tell it; some carry the last lines of every rank. */
  private static final int REASON_CHARS = 4000;

  private final OutputStream out;
  private final Clock clock;
  private boolean broken;
  private long lastStep;

  private HistoryFile(OutputStream out, Clock clock) {
    this.out = out;
    this.clock = clock;
  }

  /**
   * Appends to the history of a run folder; one that cannot be opened says so once, and is lost.
   */
  public static HistoryFile open(Path runDir, Clock clock) {
    Path file = runDir.resolve("history.jsonl");
    HistoryFile history;
    try {
      boolean begun = Files.exists(file) && Files.size(file) > 0;
      OutputStream out =
          Files.newOutputStream(file, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
      history = new HistoryFile(out, clock);
      if (begun) {
        // Closes a line that a kill tore; after a whole one it is an empty line, which says
        // nothing.
        out.write('\n');
      }
    } catch (IOException e) {
      history = new HistoryFile(OutputStream.nullOutputStream(), clock);
      history.failed(e);
    }
    return history;
  }

  /**
   * @param environment what this driver runs on, for people
   */
  public synchronized void driverStarts(boolean resumed, Map<String, String> environment) {
    write(
        line("driver_started")
            .put("resumed", Json.of(resumed))
            .put("environment", Json.strings(environment)));
  }

  /** The driver ends on its own; one that is killed writes nothing. */
  public synchronized void driverEnds(int exitCode, String reason) {
    write(line("driver_ended").put("exit_code", exitCode).put("reason", shortened(reason)));
  }

  @Override
  public synchronized void attemptStarts(int attempt) {
    lastStep = 0;
    write(line("attempt_started").put("attempt", attempt));
  }

  @Override
  public synchronized void attemptFailed(
      int attempt, AttemptFailedException failure, boolean retried) {
    write(
        line("attempt_failed")
            .put("attempt", attempt)
            .put("step", lastStep)
            .put("kind", failure.kind().name().toLowerCase(Locale.ROOT))
            .put("rank", failure.rank())
            .put("retried", Json.of(retried))
            .put("reason", shortened(String.valueOf(failure.getMessage()))));
  }

  @Override
  public synchronized void emit(WorkerEvent event) {
    if (event instanceof StepDone step) {
      lastStep = step.step();
    } else if (event instanceof CheckpointSaved saved) {
      write(
          line("checkpoint")
              .put("step", saved.step())
              .put("bytes", saved.bytes())
              .put("millis", Math.round(saved.millis()))
              .put("stall_micros", Math.round(1e3 * saved.stallMillis()))
              .put("failure", shortened(saved.failure())));
    }
  }

  private Json.Building line(String event) {
    return Json.object().put("unix_ms", clock.millis()).put("event", event);
  }

  private static String shortened(String text) {
    return text.length() <= REASON_CHARS ? text : text.substring(0, REASON_CHARS) + " ...";
  }

  private void write(Json.Building line) {
    if (!broken) {
      try {
        Failpoint.HISTORY_LINE.before();
        out.write((line.build().write() + "\n").getBytes(StandardCharsets.UTF_8));
        Failpoint.HISTORY_LINE.after();
      } catch (IOException e) {
        failed(e);
      }
    }
  }

  private void failed(IOException e) {
    broken = true;
    LOG.warn("history.jsonl is not written any more; report.html will lack what happens now", e);
  }

  @Override
  public synchronized void close() {
    try {
      out.close();
    } catch (IOException e) {
      failed(e);
    }
  }
}
