package dev.kindling.worker.event.report;

import dev.kindling.worker.event.report.Timeline.Attempt;
import dev.kindling.worker.event.report.Timeline.Checkpoint;
import dev.kindling.worker.event.report.Timeline.Ending;
import java.util.List;
import java.util.OptionalLong;

/**
 * The attempts of a run as bars on the axis of all charts, one below the other: where two overlap,
 * steps were computed again. Dots are checkpoints.
 */
final class Lanes {
  private static final int LANE_MAX = 26;
  private static final int LANE_MIN = 7;
  private static final int PAPER = 320;
  private static final int CLOCK_ROW = 16;

  /** Checkpoints closer than this share of the axis are one dot. */
  private static final double DOT_SHARE = 0.006;

  private static final int TIP_CHARS = 90;

  /** Beside a bar there is 40 % of the width. */
  private static final int LABEL_CHARS = 46;

  private final Timeline timeline;
  private final StepAxis axis;
  private final int lane;

  Lanes(Timeline timeline, StepAxis axis) {
    this.timeline = timeline;
    this.axis = axis;
    int count = Math.max(1, timeline.attempts().size());
    this.lane = Math.max(LANE_MIN, Math.min(LANE_MAX, PAPER / count));
  }

  Markup figure() {
    List<Attempt> attempts = timeline.attempts();
    int height = lane * attempts.size();
    Markup out = new Markup();
    out.add("<figure><figcaption><b>Attempts</b> <span class=\"unit\">one bar each</span>");
    out.add("<span class=\"key checkpoint\">checkpoint</span>");
    if (timeline.failures() > 0) {
      out.add("<span class=\"key fault\">failure</span>");
    }
    out.add("</figcaption><div class=\"plot clock\">");
    out.add(
        "<svg role=\"img\" aria-label=\"attempts over steps\" width=\"100%%\" height=\"%d\">%n",
        height);
    for (int i = 0; i < attempts.size(); i++) {
      bar(out, attempts, i);
    }
    Plot.steps(out, axis, height + 17);
    for (long tick : axis.ticks()) {
      out.add(
          "<text class=\"tick faint\" x=\"%s\" y=\"%d\" text-anchor=\"middle\">%s</text>",
          axis.percent(tick), height + 17 + CLOCK_ROW, clock(tick));
    }
    if (axis.elapsedMillis(Long.MAX_VALUE - 1).isPresent()) {
      out.add(
          "<text class=\"tick faint\" x=\"-8\" y=\"%d\" text-anchor=\"end\">time</text>",
          height + 17 + CLOCK_ROW);
    }
    return out.add("%n</svg></div></figure>%n");
  }

  private String clock(long step) {
    OptionalLong millis = axis.elapsedMillis(step);
    return millis.isPresent() ? Unit.clock(millis.getAsLong()) : "";
  }

  private void bar(Markup out, List<Attempt> attempts, int index) {
    Attempt attempt = attempts.get(index);
    double middle = lane * (index + 0.5);
    double from = axis.fraction(attempt.firstStep() - 1);
    double to = axis.fraction(attempt.lastStep());
    if (!attempt.stepped()) {
      // It ended before its first step: a mark where the one before it came to.
      from = to = index == 0 ? 0 : axis.fraction(attempts.get(index - 1).lastStep());
    }
    String left = percent(from);
    out.add(
        "<rect class=\"lane %s\" x=\"%s\" width=\"%s\" y=\"%.1f\" height=\"%.1f\""
            + " rx=\"%.1f\"><title>%s</title></rect>%n",
        attempt.ending().name().toLowerCase(java.util.Locale.ROOT),
        left,
        percent(Math.max(0.002, Math.max(0, to) - Math.max(0, from))),
        middle - lane * 0.28,
        lane * 0.56,
        lane * 0.28,
        words(attempt));
    dots(out, attempt, middle);
    if (attempt.ending() == Ending.FAILED || attempt.ending() == Ending.KILLED) {
      cross(out, percent(to), middle);
    }
    if (lane >= 12) {
      out.add(
          "<text class=\"tick\" x=\"-8\" y=\"%.1f\" text-anchor=\"end\">%d</text>%n",
          middle + 4, attempt.number());
      label(out, attempt, from, to, middle);
    }
  }

  private static String percent(double fraction) {
    double inside = Math.max(0, Math.min(1, fraction));
    return String.format(java.util.Locale.ROOT, "%.3f%%", 100 * inside);
  }

  private static String words(Attempt attempt) {
    String steps =
        attempt.stepped()
            ? "steps " + attempt.firstStep() + " to " + attempt.lastStep()
            : "no step";
    String why = attempt.reason().isEmpty() ? "" : ": " + brief(attempt.reason(), TIP_CHARS);
    return "attempt " + attempt.number() + ", " + steps + ", " + attempt.ending().words + why;
  }

  private static String brief(String text, int most) {
    String line = text.lines().findFirst().orElse("");
    return line.length() <= most ? line : line.substring(0, most) + " ...";
  }

  private void dots(Markup out, Attempt attempt, double y) {
    double last = -1;
    double radius = Math.min(4, lane * 0.22);
    for (Checkpoint checkpoint : timeline.checkpoints()) {
      double at = axis.fraction(checkpoint.step());
      boolean own = checkpoint.attempt() == attempt.number();
      if (own && (Math.abs(at - last) >= DOT_SHARE || !checkpoint.failure().isEmpty())) {
        last = at;
        boolean saved = checkpoint.failure().isEmpty();
        out.add(
            "<circle class=\"%s\" cx=\"%s\" cy=\"%.1f\" r=\"%.1f\"><title>%s</title></circle>",
            saved ? "checkpoint" : "checkpoint lost",
            percent(at),
            y,
            radius,
            saved
                ? "checkpoint after step " + checkpoint.step()
                : "no checkpoint after step " + checkpoint.step());
      }
    }
    out.add("%n");
  }

  /** Of two strokes with round caps: the axis is in percent, the strokes are in pixels. */
  private void cross(Markup out, String x, double y) {
    double arm = Math.min(5, lane * 0.3);
    out.add(
        "<svg class=\"over\" x=\"%s\" y=\"%.1f\"><path class=\"fault\" d=\"M%.1f %.1fL%.1f"
            + " %.1fM%.1f %.1fL%.1f %.1f\"/></svg>%n",
        x, y, -arm, -arm, arm, arm, -arm, arm, arm, -arm);
  }

  private void label(Markup out, Attempt attempt, double from, double to, double y) {
    boolean right = to < 0.6;
    String text =
        attempt.ending() == Ending.FAILED && !attempt.reason().isEmpty()
            ? brief(attempt.reason(), LABEL_CHARS)
            : attempt.ending().words;
    String where = attempt.stepped() ? " at step " + attempt.lastStep() : "";
    boolean fits = right || from > 0.3;
    if (fits) {
      out.add(
          "<text class=\"lane-label\" x=\"%s\" dx=\"%d\" y=\"%.1f\" text-anchor=\"%s\">%s</text>%n",
          percent(right ? to : from),
          right ? 12 : -10,
          y + 4,
          right ? "start" : "end",
          text + where);
    }
  }
}
