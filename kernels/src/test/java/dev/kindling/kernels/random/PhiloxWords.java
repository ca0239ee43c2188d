package dev.kindling.kernels.random;

/** One Philox block for tests of other packages. */
public final class PhiloxWords {
  private PhiloxWords() {}

  /** The four words that the counter becomes. */
  public static int[] of(long key, int... counter) {
    int[] words = counter.clone();
    Philox.block(words, key);
    return words;
  }
}
