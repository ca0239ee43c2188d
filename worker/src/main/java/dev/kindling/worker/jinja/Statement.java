package dev.kindling.worker.jinja;

/** What writes text. */
interface Statement {
  void render(Scope scope, Output out);
}
