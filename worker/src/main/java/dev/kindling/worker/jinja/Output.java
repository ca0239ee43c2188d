package dev.kindling.worker.jinja;

import java.util.ArrayList;
import java.util.List;

/** The text rendered so far and where {@code generation} blocks lie in it. */
final class Output {
  private static final int LIMIT = 1 << 28;

  private final StringBuilder text = new StringBuilder();
  private final List<Template.Span> generated = new ArrayList<>();

  void write(String piece) {
    if (text.length() + piece.length() > LIMIT) {
      throw new TemplateException(0, "expected at most " + LIMIT + " characters of output");
    }
    text.append(piece);
  }

  int length() {
    return text.length();
  }

  void generated(int start) {
    generated.add(new Template.Span(start, text.length()));
  }

  List<Template.Span> generated() {
    return generated;
  }

  String text() {
    return text.toString();
  }
}
