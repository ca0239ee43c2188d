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

  /** Takes the documents. */
  interface Sink {
    /**
     * One document: its name and its UTF-8 bytes, not empty.
     *
     * @throws BadLine where it cannot be used
     */
    void document(String name, byte[] utf8);

    /** Told of a line that was left out, with its file, byte and fault. */
    default void skipped(String what) {}
  }
}
