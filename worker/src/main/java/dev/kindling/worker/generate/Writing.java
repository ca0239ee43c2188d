package dev.kindling.worker.generate;

import java.util.Arrays;

/** One sequence as it grows: its prompt, and what was added. */
final class Writing {
  private final int[] ids;
  private final int start;
  private int length;
  private boolean ended;

  /** Logits of the token at {@link #length}, one for each id that may be chosen. */
  final float[] logits;

  Writing(int[] prompt, int tokens, int choices) {
    ids = Arrays.copyOf(prompt, Math.addExact(prompt.length, tokens));
    start = prompt.length;
    length = start;
    logits = new float[choices];
  }

  void add(int id) {
    ids[length++] = id;
  }

  void end() {
    ended = true;
  }

  boolean done() {
    return ended || length == ids.length;
  }

  int length() {
    return length;
  }

  int newest() {
    return ids[length - 1];
  }

  int[] ids() {
    return ids;
  }

  int[] added() {
    return Arrays.copyOfRange(ids, start, length);
  }
}
