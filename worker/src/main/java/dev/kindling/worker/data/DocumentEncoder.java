package dev.kindling.worker.data;

import java.util.Optional;

/** Documents to tokens; used by one thread. */
interface DocumentEncoder extends AutoCloseable {
  /**
   * The tokens of a document, empty when it is too long to be kept.
   *
   * @throws BadLine when it is no document after all
   */
  Optional<Example> encode(byte[] utf8);

  int vocabularySize();

  @Override
  void close();

  /** Text, a separator behind it. */
  static DocumentEncoder stream(Tokenizer tokenizer) {
    return new DocumentEncoder() {
      @Override
      public Optional<Example> encode(byte[] utf8) {
        int[] ids = tokenizer.encode(utf8);
        int[] ended = java.util.Arrays.copyOf(ids, ids.length + 1);
        ended[ids.length] = tokenizer.separator();
        return Optional.of(new Example(ended, null, false));
      }

      @Override
      public int vocabularySize() {
        return tokenizer.vocabularySize();
      }

      @Override
      public void close() {
        tokenizer.close();
      }
    };
  }
}
