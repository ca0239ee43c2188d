package dev.kindling.worker.event.tensorboard;

import dev.kindling.kernels.fault.Failpoint;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Clock;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * One TensorBoard event file. A run has a file for each attempt, because a file that somebody else
 * may still hold open is never appended to. Each begins with the step from which it replaces what
 * older files say (a session's START), so that a curve never runs back to a step that a restart
 * computed again.
 *
 * <p>Readers take the files of a folder in the order of their names. Names begin with seconds, so a
 * new file gets at least one second more than the newest there, even if the clock went backwards.
 * Every record is one write: a kill leaves at most one torn record, which readers skip.
 */
public final class EventFile implements AutoCloseable {
  private static final Pattern NAME = Pattern.compile("events\\.out\\.tfevents\\.(\\d{10})\\..*");
  private static final String FORMAT = "brain.Event:2";
  private static final double MILLIS_PER_SECOND = 1e3;

  /** Numbers of the fields in TensorFlow's event.proto and summary.proto. */
  private static final int EVENT_WALL_TIME = 1;

  private static final int EVENT_STEP = 2;
  private static final int EVENT_FILE_VERSION = 3;
  private static final int EVENT_SUMMARY = 5;
  private static final int EVENT_SESSION_LOG = 7;
  private static final int SESSION_STATUS = 1;
  private static final int SESSION_START = 1;
  private static final int SUMMARY_VALUE = 1;
  private static final int VALUE_TAG = 1;
  private static final int VALUE_SIMPLE = 2;

  private final OutputStream out;
  private final Clock clock;

  private EventFile(OutputStream out, Clock clock) {
    this.out = out;
    this.clock = clock;
  }

  /**
   * A new file of the folder, which is made if it is absent.
   *
   * @param attempt for people who look at the name
   * @param firstStep steps from here on are what this file says, whatever older files hold
   */
  public static EventFile create(Path folder, int attempt, long firstStep, Clock clock)
      throws IOException {
    Files.createDirectories(folder);
    long seconds = Math.max(clock.instant().getEpochSecond(), newest(folder) + 1);
    String name =
        String.format(
            Locale.ROOT, "events.out.tfevents.%010d.kindling.attempt-%d", seconds, attempt);
    OutputStream out =
        Files.newOutputStream(
            folder.resolve(name), StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
    EventFile file = new EventFile(out, clock);
    file.write(file.event(0).text(EVENT_FILE_VERSION, FORMAT));
    file.write(
        file.event(firstStep)
            .message(EVENT_SESSION_LOG, new WireMessage().integer(SESSION_STATUS, SESSION_START)));
    return file;
  }

  /** Seconds in the newest name, 0 if there is none. */
  private static long newest(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files
          .map(path -> NAME.matcher(String.valueOf(path.getFileName())))
          .filter(Matcher::matches)
          .mapToLong(name -> Long.parseLong(name.group(1)))
          .max()
          .orElse(0);
    }
  }

  /** Numbers of one step by tag; TensorBoard keeps them in single precision. */
  public void scalars(long step, Map<String, Double> values) throws IOException {
    WireMessage summary = new WireMessage();
    values.forEach(
        (tag, value) ->
            summary.message(
                SUMMARY_VALUE,
                new WireMessage().text(VALUE_TAG, tag).float32(VALUE_SIMPLE, value.floatValue())));
    write(event(step).message(EVENT_SUMMARY, summary));
  }

  private WireMessage event(long step) {
    return new WireMessage()
        .float64(EVENT_WALL_TIME, clock.millis() / MILLIS_PER_SECOND)
        .integer(EVENT_STEP, step);
  }

  private void write(WireMessage event) throws IOException {
    Failpoint.EVENTS_RECORD.before();
    out.write(RecordFrame.of(event.toBytes()));
    Failpoint.EVENTS_RECORD.after();
  }

  @Override
  public void close() throws IOException {
    out.close();
  }
}
