package dev.kindling.worker.data;

/** What a row of a query is. */
public enum SqlRows {
  /** A document, its text in one column. */
  TEXT,
  /**
   * A conversation, in a column {@code messages} (a list of structs with role and content), or a
   * pair in columns {@code prompt} and {@code completion}.
   */
  CHAT
}
