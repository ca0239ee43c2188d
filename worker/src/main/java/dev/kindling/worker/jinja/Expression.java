package dev.kindling.worker.jinja;

/** What has a value; values are listed at {@link Values}. */
interface Expression {
  Object value(Scope scope);
}
