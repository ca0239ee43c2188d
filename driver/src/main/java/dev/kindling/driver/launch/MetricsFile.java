package dev.kindling.driver.launch;

import dev.kindling.kernels.fault.Failpoint;
import dev.kindling.worker.event.CheckpointSaved;
import dev.kindling.worker.event.RoundDone;
import dev.kindling.worker.event.StepDone;
import dev.kindling.worker.event.StepRecalled;
import dev.kindling.worker.event.Validated;
import dev.kindling.worker.event.WorkerEvent;
import dev.kindling.worker.launch.AttemptFailedException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.BitSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * {@code metrics.jsonl}: append-only, one object per logged step. Floats are printed as the double
 * of the same value, whose shortest decimal parses back to the same bits; non-finite values are
 * strings. After a restart a step may appear again: the line with the highest attempt counts, and
 * of those the last.
 */
public final class MetricsFile implements RunObserver, AutoCloseable {
  private static final Pattern ATTEMPT = Pattern.compile("\"attempt\":(\\d+)");

  private static final Pattern STEP = Pattern.compile("^\\{\"step\":(\\d+),\"tokens\"");

  private final Writer out;

  /** Steps that have a line, of whatever attempt. */
  private final BitSet written;

  private int attempt = 1;

  /** A step waits for the validation that may follow it, so that both stand in one line. */
  private @Nullable StepDone pending;

  private @Nullable StepDone latest;

  /** Told right before the step behind which it ended. */
  private @Nullable RoundDone round;

  /** When the latest step was told; 0 for a step that is told again, whose time nobody kept. */
  private long latestUnixMillis;

  private MetricsFile(Writer out, BitSet written) {
    this.out = out;
    this.written = written;
  }

  /** Opens for appending; a torn last line of a killed driver is closed first. */
  public static MetricsFile open(Path file) throws IOException {
    BitSet written = writtenSteps(file);
    boolean torn = Files.exists(file) && Files.size(file) > 0 && !endsWithNewline(file);
    Writer out =
        Files.newBufferedWriter(
            file,
            StandardCharsets.UTF_8,
            StandardOpenOption.CREATE,
            StandardOpenOption.APPEND,
            StandardOpenOption.WRITE);
    if (torn) {
      out.write("\n");
    }
    return new MetricsFile(out, written);
  }

  private static BitSet writtenSteps(Path file) throws IOException {
    BitSet steps = new BitSet();
    if (Files.exists(file)) {
      try (Stream<String> lines = Files.lines(file, StandardCharsets.UTF_8)) {
        lines
            .filter(line -> line.endsWith("}"))
            .map(STEP::matcher)
            .filter(Matcher::find)
            .forEach(match -> steps.set(Integer.parseInt(match.group(1))));
      }
    }
    return steps;
  }

  private static boolean endsWithNewline(Path file) throws IOException {
    try (var channel = Files.newByteChannel(file)) {
      channel.position(channel.size() - 1);
      var last = java.nio.ByteBuffer.allocate(1);
      return channel.read(last) == 1 && last.get(0) == '\n';
    }
  }

  /** Steps that have a line now. */
  synchronized BitSet steps() {
    return (BitSet) written.clone();
  }

  /** Highest attempt in the file, 0 if there is none. */
  public static int lastAttempt(Path file) throws IOException {
    if (!Files.exists(file)) {
      return 0;
    }
    try (Stream<String> lines = Files.lines(file, StandardCharsets.UTF_8)) {
      return lines
          .map(ATTEMPT::matcher)
          .filter(Matcher::find)
          .mapToInt(m -> Integer.parseInt(m.group(1)))
          .max()
          .orElse(0);
    }
  }

  @Override
  public synchronized void attemptStarts(int number) {
    flushPending();
    attempt = number;
    latest = null;
  }

  @Override
  public synchronized void attemptFailed(
      int number, AttemptFailedException failure, boolean retried) {
    flushPending();
  }

  @Override
  public synchronized void emit(WorkerEvent event) {
    if (event instanceof RoundDone ended && ended.rank() == 0) {
      flushPending();
      round = ended;
    } else if (event instanceof StepDone step && step.rank() == 0) {
      flushPending();
      latest = step;
      latestUnixMillis = System.currentTimeMillis();
      pending = step;
    } else if (event instanceof Validated validated && validated.rank() == 0) {
      validated(validated);
    } else if (event instanceof StepRecalled recalled && recalled.rank() == 0) {
      recalled(recalled);
    } else if (event instanceof CheckpointSaved) {
      flushPending();
    }
  }

  /** A line that died with the process that was to write it. */
  private void recalled(StepRecalled recalled) {
    StepDone step = recalled.step();
    if (!written.get((int) step.step())) {
      float loss = recalled.validationLoss();
      latestUnixMillis = 0;
      write(line(step, keys(!Float.isNaN(loss), loss, recalled.accuracy())));
    }
  }

  private void validated(Validated validated) {
    StepDone step = latest;
    if (step != null && step.step() == validated.step()) {
      pending = null;
      write(line(step, keys(validated)));
    } else {
      // Before the first step of this attempt: a line of its own, with what is known.
      flushPending();
      write("{\"step\":%d,\"attempt\":%d%s}".formatted(validated.step(), attempt, keys(validated)));
    }
  }

  private void flushPending() {
    StepDone step = pending;
    pending = null;
    if (step != null) {
      write(line(step, ""));
    }
  }

  /** The keys of a round that ended behind the step. */
  private static String keys(long step, @Nullable RoundDone round) {
    if (round == null || round.step() != step) {
      return "";
    }
    return ",\"outer_step\":"
        + round.outerStep()
        + ",\"sync_exposed_ms\":"
        + number(round.exposedMillis())
        + (Float.isNaN(round.loss()) ? "" : ",\"round_loss\":" + number(round.loss()))
        + (Double.isNaN(round.drift()) ? "" : ",\"replica_drift\":" + number(round.drift()))
        + (Double.isNaN(round.stalenessGap())
            ? ""
            : ",\"staleness_gap\":" + number(round.stalenessGap()));
  }

  private static String keys(Validated validated) {
    return keys(validated.hasLoss(), validated.loss(), validated.accuracy());
  }

  /** The keys of a validation, as the end of a line takes them. */
  private static String keys(boolean hasLoss, float loss, float accuracy) {
    return (hasLoss ? ",\"val_loss\":" + number(loss) : "")
        + (Float.isNaN(accuracy) ? "" : ",\"validation_accuracy\":" + number(accuracy));
  }

  private String line(StepDone step, String validation) {
    written.set((int) step.step());
    StringBuilder text =
        new StringBuilder(320)
            .append("{\"step\":")
            .append(step.step())
            .append(",\"tokens\":")
            .append(step.tokens())
            .append(",\"loss\":")
            .append(number(step.loss()))
            .append(",\"grad_norm\":")
            .append(number(step.gradNorm()))
            .append(",\"lr\":")
            .append(number(step.lr()))
            .append(",\"step_ms\":")
            .append(number(step.stepMillis()))
            .append(",\"tokens_per_s\":")
            .append(number(step.tokensPerSecond()))
            .append(",\"mfu\":null")
            .append(",\"device_bytes_peak\":")
            .append(step.deviceBytesPeak())
            .append(",\"comm_bytes\":")
            .append(step.commBytes())
            .append(",\"comm_exposed_ms\":")
            .append(number(step.commExposedMillis()))
            .append(",\"attempt\":")
            .append(attempt)
            .append(keys(step.step(), round))
            .append(validation);
    if (step.skipped()) {
      text.append(",\"skipped\":true");
    }
    if (latestUnixMillis > 0) {
      text.append(",\"unix_ms\":").append(latestUnixMillis);
    }
    return text.append('}').toString();
  }

  /** JSON number that parses to the same bits; JSON has no NaN and no infinities. */
  static String number(double value) {
    return Double.isFinite(value) ? Double.toString(value) : "\"" + value + "\"";
  }

  private void write(String line) {
    try {
      Failpoint.METRICS_LINE.before();
      out.write(line);
      out.write("\n");
      out.flush();
      Failpoint.METRICS_LINE.after();
    } catch (IOException e) {
      throw new UncheckedIOException("metrics.jsonl", e);
    }
  }

  @Override
  public synchronized void close() throws IOException {
    flushPending();
    out.close();
  }
}
