package dev.kindling.worker.data;

import java.util.Map;
import java.util.Set;

/**
 * Text to token ids and back. Implementations are used by one thread at a time; {@code close} frees
 * native memory.
 */
public interface Tokenizer extends AutoCloseable {
  /** Ids are in {@code [0, vocabularySize)}. */
  int vocabularySize();

  /** The id between documents; never the product of ordinary text. */
  int separator();

  /** Ids after which a text, or one turn of a conversation, is complete: generation stops there. */
  default Set<Integer> ends() {
    return Set.of(separator());
  }

  /** SHA-256 (64 hexadecimal digits) of everything that decides the ids. */
  String hash();

  /** Ids of well-formed UTF-8 text without special tokens around it. */
  int[] encode(byte[] utf8);

  /**
   * Ids of a text and where each begins in it.
   *
   * @param starts index into the text's chars; tokens that share a character have the same
   */
  @SuppressWarnings("ArrayRecordComponent")
  record Tokens(int[] ids, int[] starts) {}

  /** As {@link #encode}, with places; special tokens written out in the text become their ids. */
  Tokens tokens(String text);

  /** Text of the ids; malformed bytes become U+FFFD. */
  String decode(int[] ids);

  /**
   * The tokenizer as bytes for {@link #restore}; kept beside prepared shards, so that they can be
   * read back as text.
   */
  byte[] save();

  @Override
  void close();

  /**
   * Opens what a configuration names.
   *
   * @throws DataException when its file is missing or no tokenizer
   */
  static Tokenizer open(TokenizerSpec spec) {
    return open(spec, Map.of());
  }

  /**
   * As above, with settings for a file in another store.
   *
   * @param sparkConf settings of the run, of which those that Spark would hand to Hadoop count
   */
  static Tokenizer open(TokenizerSpec spec, Map<String, String> sparkConf) {
    if (spec instanceof Huggingface huggingface) {
      return HuggingfaceTokenizer.open(huggingface, sparkConf);
    }
    return new ByteTokenizer();
  }

  /**
   * The inverse of {@link #save}.
   *
   * @throws DataException when the bytes are not those of a tokenizer
   */
  static Tokenizer restore(byte[] saved, String file) {
    return saved.length == 0 ? new ByteTokenizer() : HuggingfaceTokenizer.restore(saved, file);
  }
}
