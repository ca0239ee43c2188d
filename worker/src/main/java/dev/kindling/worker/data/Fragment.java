package dev.kindling.worker.data;

import java.io.Serializable;

/**
 * A piece of input that one task reads by itself: whole documents in a fixed order. Cut by file and
 * size alone, so the pieces are the same however many tasks there are.
 */
sealed interface Fragment extends Serializable permits TextFragment, JsonlFragment, JarFragment {
  /** Bytes of input, for cutting work evenly. */
  long bytes();

  /**
   * Hands over every document, checked to be text.
   *
   * @throws DataException naming file and byte offset of what is no text
   */
  void read(Sink sink);

  /** Takes one document: its name and its UTF-8 bytes, not empty. */
  interface Sink {
    void document(String name, byte[] utf8);
  }
}
