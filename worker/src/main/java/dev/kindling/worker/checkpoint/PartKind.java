package dev.kindling.worker.checkpoint;

/** What a part holds, and the first word of its file name. */
public enum PartKind {
  MODEL("model"),
  OPTIMIZER("opt");

  private final String word;

  PartKind(String word) {
    this.word = word;
  }

  String word() {
    return word;
  }

  static PartKind ofWord(String word) {
    for (PartKind kind : values()) {
      if (kind.word.equals(word)) {
        return kind;
      }
    }
    throw new IllegalArgumentException("expected model or opt, found " + word);
  }
}
