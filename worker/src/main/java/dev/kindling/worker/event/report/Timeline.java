package dev.kindling.worker.event.report;

import dev.kindling.worker.store.Json;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What happened to a run, from {@code history.jsonl} and the attempts that {@code metrics.jsonl}
 * names. A run without a history, or whose history lacks its beginning, shows what its metrics say.
 *
 * @param environment of the newest driver
 */
record Timeline(
    List<Attempt> attempts,
    List<Checkpoint> checkpoints,
    List<Event> events,
    Map<String, String> environment) {

  /** How an attempt ended. */
  enum Ending {
    DONE("done"),
    STOPPED("stopped"),
    FAILED("failed"),
    /** Its driver ended without a word. */
    KILLED("killed with its driver"),
    /** Nothing is known, or it still runs. */
    OPEN("no end recorded");

    final String words;

    Ending(String words) {
      this.words = words;
    }
  }

  /**
   * One attempt.
   *
   * @param firstStep 0 if it reported no step
   * @param reason why it ended, in few words; may be empty
   */
  record Attempt(int number, long firstStep, long lastStep, Ending ending, String reason) {
    boolean stepped() {
      return firstStep > 0;
    }
  }

  /**
   * A checkpoint that was saved, or not.
   *
   * @param failure empty if it was saved
   */
  record Checkpoint(int attempt, long step, long bytes, String failure) {}

  /**
   * A line of the story.
   *
   * @param unixMillis 0 if nobody knows
   * @param detail more about it, may be long or empty
   */
  record Event(long unixMillis, Tone tone, String text, String detail) {}

  /** How an event is coloured. */
  enum Tone {
    PLAIN,
    GOOD,
    WARNING,
    BAD
  }

  static Timeline of(List<Json.Obj> history, List<Json.Obj> metrics) {
    Reading reading = new Reading();
    history.forEach(reading::line);
    reading.steps(metrics);
    return reading.timeline();
  }

  static String text(Json.Obj line, String key) {
    return MetricsLog.text(line, key);
  }

  static long integer(Json.Obj line, String key) {
    String text = text(line, key);
    return text.matches("-?\\d{1,18}") ? Long.parseLong(text) : 0;
  }

  /** Folds the lines, oldest first. */
  private static final class Reading {
    private final List<Attempt> attempts = new ArrayList<>();
    private final List<Checkpoint> checkpoints = new ArrayList<>();
    private final List<Event> events = new ArrayList<>();
    private Map<String, String> environment = Map.of();
    private @Nullable Attempt open;
    private boolean driverOpen;

    private void line(Json.Obj line) {
      long time = integer(line, "unix_ms");
      switch (text(line, "event")) {
        case "driver_started" -> driverStarted(line, time);
        case "attempt_started" -> attemptStarted(line, time);
        case "attempt_failed" -> attemptFailed(line, time);
        case "checkpoint" -> checkpoint(line, time);
        case "driver_ended" -> driverEnded(line, time);
        default -> {
          // A newer driver may know more kinds.
        }
      }
    }

    private void driverStarted(Json.Obj line, long time) {
      if (driverOpen) {
        close(Ending.KILLED, "");
        events.add(
            new Event(time, Tone.BAD, "the driver before this one ended without a word", ""));
      }
      driverOpen = true;
      environment = new LinkedHashMap<>();
      if (line.find("environment").orElse(null) instanceof Json.Obj facts) {
        facts.members().forEach((key, value) -> environment.put(key, text(facts, key)));
      }
      boolean resumed = "true".equals(text(line, "resumed"));
      events.add(new Event(time, Tone.PLAIN, resumed ? "resumed" : "started", ""));
    }

    private void attemptStarted(Json.Obj line, long time) {
      close(Ending.KILLED, "");
      open = new Attempt((int) integer(line, "attempt"), 0, 0, Ending.OPEN, "");
      events.add(new Event(time, Tone.PLAIN, "attempt " + text(line, "attempt") + " starts", ""));
    }

    private void attemptFailed(Json.Obj line, long time) {
      String kind = text(line, "kind").replace('_', ' ');
      String reason = text(line, "reason");
      close(Ending.FAILED, reason.isBlank() ? kind : gist(reason));
      long rank = integer(line, "rank");
      long step = integer(line, "step");
      String where = (step > 0 ? " after step " + step : "") + (rank >= 0 ? ", rank " + rank : "");
      String what = "attempt " + text(line, "attempt") + " failed" + where + ": " + kind;
      events.add(new Event(time, Tone.BAD, what, reason));
    }

    /** A reason up to its first parenthesis, list or line end: what fits beside a bar. */
    private static String gist(String reason) {
      return reason.strip().split(" \\(|[;\\n]", 2)[0];
    }

    private void checkpoint(Json.Obj line, long time) {
      String failure = text(line, "failure");
      long step = integer(line, "step");
      int attempt = open == null ? 0 : open.number();
      checkpoints.add(new Checkpoint(attempt, step, integer(line, "bytes"), failure));
      if (!failure.isEmpty()) {
        events.add(new Event(time, Tone.WARNING, "no checkpoint of step " + step, failure));
      }
    }

    private void driverEnded(Json.Obj line, long time) {
      driverOpen = false;
      long code = integer(line, "exit_code");
      Ending ending = code == 0 ? Ending.DONE : code > 128 ? Ending.STOPPED : Ending.FAILED;
      String reason = text(line, "reason");
      close(ending, reason);
      events.add(
          switch (ending) {
            case DONE -> new Event(time, Tone.GOOD, "done", "");
            case STOPPED -> new Event(time, Tone.WARNING, "stopped by a signal", reason);
            default -> new Event(time, Tone.BAD, "ended with exit code " + code, reason);
          });
    }

    private void close(Ending ending, String reason) {
      Attempt attempt = open;
      open = null;
      if (attempt != null) {
        attempts.add(new Attempt(attempt.number(), 0, 0, ending, reason));
      }
    }

    /** Steps belong to the last attempt of their number: a number is used again if it made none. */
    private void steps(List<Json.Obj> metrics) {
      close(Ending.OPEN, "");
      Map<Integer, long[]> spans = new LinkedHashMap<>();
      // A step that is told again carries the attempt that told it, not the one that made it.
      boolean timed = metrics.stream().anyMatch(line -> line.find("unix_ms").isPresent());
      for (Json.Obj line : metrics) {
        long step = integer(line, "step");
        if (line.find("loss").isPresent() && (!timed || line.find("unix_ms").isPresent())) {
          long[] span =
              spans.computeIfAbsent((int) integer(line, "attempt"), n -> new long[] {step, step});
          span[0] = Math.min(span[0], step);
          span[1] = Math.max(span[1], step);
        }
      }
      spans.forEach(this::steps);
      attempts.sort(Comparator.comparingInt(Attempt::number));
    }

    private void steps(int number, long[] span) {
      for (int i = attempts.size() - 1; i >= 0; i--) {
        Attempt attempt = attempts.get(i);
        if (attempt.number() == number) {
          attempts.set(
              i, new Attempt(number, span[0], span[1], attempt.ending(), attempt.reason()));
          return;
        }
      }
      attempts.add(new Attempt(number, span[0], span[1], Ending.OPEN, ""));
    }

    private Timeline timeline() {
      return new Timeline(attempts, checkpoints, events, environment);
    }
  }

  /** How the run stands. */
  Ending ending() {
    return attempts.isEmpty() ? Ending.OPEN : attempts.get(attempts.size() - 1).ending();
  }

  long failures() {
    return attempts.stream()
        .filter(a -> a.ending() == Ending.FAILED || a.ending() == Ending.KILLED)
        .count();
  }

  long saved() {
    return checkpoints.stream().filter(c -> c.failure().isEmpty()).count();
  }
}
