package dev.kindling.worker.event.report;

import java.util.Locale;

/**
 * Something that happened at a step, as a line through all pictures.
 *
 * @param text for whoever points at it
 */
record Mark(double step, Kind kind, String text) {
  /** What it was; its name in small letters is a class of the style sheet. */
  enum Kind {
    FAULT("failure"),
    STOP("stop"),
    SKIP("skipped step");

    private final String words;

    Kind(String words) {
      this.words = words;
    }

    private String style() {
      return name().toLowerCase(Locale.ROOT);
    }

    /** Its entry of a legend. */
    Markup key() {
      return new Markup().add("<span class=\"key line %s\">%s</span>", style(), words);
    }
  }

  void line(Markup out, StepAxis axis, int height) {
    String x = axis.percent(step);
    out.add(
        "<line class=\"mark %s\" x1=\"%s\" x2=\"%s\" y1=\"0\" y2=\"%d\"><title>%s</title></line>%n",
        kind.style(), x, x, height, text);
  }
}
