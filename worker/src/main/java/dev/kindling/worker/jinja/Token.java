package dev.kindling.worker.jinja;

/** One piece of a template's source; {@code line} counts from 1. */
record Token(Kind kind, String text, int line) {
  enum Kind {
    DATA,
    BLOCK_BEGIN,
    BLOCK_END,
    OUTPUT_BEGIN,
    OUTPUT_END,
    NAME,
    STRING,
    INTEGER,
    FLOAT,
    OPERATOR,
    END
  }

  boolean is(Kind expected, String word) {
    return kind == expected && text.equals(word);
  }

  String shown() {
    return kind == Kind.END ? "the end of the template" : "\"" + text + "\"";
  }
}
