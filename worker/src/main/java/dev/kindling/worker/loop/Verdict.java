package dev.kindling.worker.loop;

/**
 * How a save ended, the same on all ranks.
 *
 * @param text name of the commit, or why there is none
 */
record Verdict(Kind kind, String text) {
  enum Kind {
    COMMITTED,
    /** Nothing was committed; the files are to be deleted. */
    FAILED,
    /** The storage hangs: a commit may still appear, so the files stay. */
    HUNG,
    /** A newer epoch owns the folder: no later save could succeed. */
    FENCED
  }

  /** For the wire. */
  String encode() {
    return kind + " " + text;
  }

  static Verdict decode(String line) {
    int end = line.indexOf(' ');
    return new Verdict(Kind.valueOf(line.substring(0, end)), line.substring(end + 1));
  }

  boolean committed() {
    return kind == Kind.COMMITTED;
  }
}
