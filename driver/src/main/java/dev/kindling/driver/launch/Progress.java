package dev.kindling.driver.launch;

import dev.kindling.worker.event.CheckpointSaved;
import dev.kindling.worker.event.LogLine;
import dev.kindling.worker.event.PhaseEntered;
import dev.kindling.worker.event.RoundDone;
import dev.kindling.worker.event.Sample;
import dev.kindling.worker.event.StepDone;
import dev.kindling.worker.event.Validated;
import dev.kindling.worker.event.WorkerEvent;
import dev.kindling.worker.launch.AttemptFailedException;
import java.io.PrintWriter;
import java.util.Locale;

/** What a person sees of a run: one live line on a terminal, or plain lines. Thread-safe. */
public final class Progress implements RunObserver {
  private static final String CLEAR_LINE = "\r\u001b[K";
  private static final long LIVE_NANOS = 100_000_000;
  private static final double PLAIN_SECONDS = 1.0;

  private final PrintWriter out;
  private final Style style;
  private final boolean live;
  private final long steps;
  private boolean lineOpen;
  private long shownNanos;
  private String validation = "";

  /** Outer steps so far; empty where ranks agree in every step. */
  private String round = "";

  private String phase = "";

  /** How much is shown, and how. */
  public enum Style {
    /** One line that is written over. */
    LIVE,
    /** Lines, at most one a second. */
    PLAIN,
    /** Only failures, warnings and the final sample. */
    OFF
  }

  /**
   * @param steps planned number of steps
   */
  public Progress(PrintWriter out, Style style, long steps) {
    this.out = out;
    this.style = style;
    this.live = style == Style.LIVE;
    this.steps = steps;
  }

  /** A line for people, whatever the mode. */
  public synchronized void say(String text) {
    if (lineOpen) {
      out.print(CLEAR_LINE);
      lineOpen = false;
    }
    out.println(text);
    out.flush();
  }

  @Override
  public synchronized void attemptStarts(int attempt) {
    shownNanos = 0;
    if (attempt > 1 && style != Style.OFF) {
      say("attempt " + attempt);
    }
  }

  @Override
  public void attemptFailed(int attempt, AttemptFailedException failure, boolean retried) {
    if (retried) {
      say("attempt " + attempt + " failed, trying again: " + failure.getMessage());
    }
  }

  @Override
  public void ranksReduced(int nextAttempt, int before, int now) {
    say(
        "warning: attempt %d goes on with %d of %d ranks, with the same global batch: slots were lost and did not come back (recovery.min_ranks)"
            .formatted(nextAttempt, now, before));
  }

  @Override
  public synchronized void emit(WorkerEvent event) {
    if (event instanceof RoundDone ended && ended.rank() == 0) {
      round = "  round " + ended.outerStep();
    } else if (event instanceof StepDone step && step.rank() == 0) {
      step(step);
    } else if (event instanceof Validated validated && validated.rank() == 0) {
      validation = figures(validated);
      plain("step " + validated.step() + validation);
    } else if (event instanceof CheckpointSaved saved && !saved.failure().isEmpty()) {
      say("step " + saved.step() + ": no checkpoint: " + saved.failure());
    } else if (event instanceof Sample sample) {
      say("--- sample after step " + sample.step() + ", prompt:");
      say(sample.prompt());
      say("--- the model goes on:");
      say(sample.text());
      say("--- end of sample");
    } else if (event instanceof LogLine line && line.level() != LogLine.Level.INFO) {
      say("rank " + line.rank() + ": " + line.text());
    } else if (event instanceof PhaseEntered entered && entered.rank() == 0) {
      phase(entered);
    }
  }

  private static String figures(Validated found) {
    String loss =
        found.hasLoss() ? String.format(Locale.ROOT, "  val_loss %.4f", found.loss()) : "";
    return found.hasAccuracy()
        ? loss + String.format(Locale.ROOT, "  accuracy %.4f", found.accuracy())
        : loss;
  }

  private void phase(PhaseEntered entered) {
    String name = entered.phase().name().toLowerCase(Locale.ROOT).replace('_', ' ');
    phase = name + (entered.detail().isEmpty() ? "" : ": " + entered.detail());
    if (live && entered.step() <= 1) {
      show(phase);
    }
  }

  private void step(StepDone step) {
    String text =
        String.format(
            Locale.ROOT,
            "step %d/%d%s  loss %.4f%s  lr %.2e  %,d tokens/s  %.0f ms%s",
            step.step(),
            steps,
            round,
            step.loss(),
            validation,
            step.lr(),
            Math.round(step.tokensPerSecond()),
            step.stepMillis(),
            step.skipped() ? "  skipped: not finite" : "");
    long now = System.nanoTime();
    boolean edge = step.step() == 1 || step.step() == steps || shownNanos == 0;
    if (live) {
      if (edge || now - shownNanos >= LIVE_NANOS) {
        shownNanos = now;
        show(text);
      }
    } else if (edge || now - shownNanos >= PLAIN_SECONDS * 1e9) {
      shownNanos = now;
      plain(text);
    }
  }

  private void plain(String text) {
    if (style != Style.OFF && !live) {
      say(text);
    }
  }

  private void show(String text) {
    out.print(CLEAR_LINE + text);
    out.flush();
    lineOpen = true;
  }

  /** Leaves the last live line standing. */
  public synchronized void finish() {
    if (lineOpen) {
      out.println();
      out.flush();
      lineOpen = false;
    }
  }
}
