package dev.kindling.worker.jinja;

/** A template that cannot be parsed, or that refuses what it was asked to render. */
public final class TemplateException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  TemplateException(int line, String message) {
    super(line > 0 ? "template line " + line + ": " + message : message);
  }
}
