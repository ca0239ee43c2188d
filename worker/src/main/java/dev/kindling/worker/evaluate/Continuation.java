package dev.kindling.worker.evaluate;

import dev.kindling.worker.data.DataException;

/**
 * Tokens behind others, whose losses count.
 *
 * @param stream at most the context and one more
 * @param from place of the first token that counts, at least 1
 */
@SuppressWarnings("ArrayRecordComponent")
public record Continuation(int[] stream, int from) {
  /**
   * Of a prompt that leaves the continuation no room only the end is kept.
   *
   * @param prompt at least one token
   * @throws DataException if the continuation has no token, or more than the context
   */
  static Continuation of(int[] prompt, int[] continuation, int context) {
    if (continuation.length == 0 || continuation.length > context) {
      throw new DataException(
          "expected a continuation of 1 to " + context + " tokens, found " + continuation.length);
    }
    int kept = Math.min(prompt.length, context + 1 - continuation.length);
    int[] stream = new int[kept + continuation.length];
    System.arraycopy(prompt, prompt.length - kept, stream, 0, kept);
    System.arraycopy(continuation, 0, stream, kept, continuation.length);
    return new Continuation(stream, kept);
  }

  /** How many tokens count. */
  public int tokens() {
    return stream.length - from;
  }
}
