package dev.kindling.worker.data;

/** What the flag byte of a token says in sets of examples; see {@link TokenShards}. */
public final class ExampleFlags {
  /** The token is a target that counts in the loss. */
  public static final int COUNTS = 1;

  /** The token is the first of an example, or of the padding at the end. */
  public static final int BEGINS = 2;

  private ExampleFlags() {}

  public static boolean counts(byte flags) {
    return (flags & COUNTS) != 0;
  }

  public static boolean begins(byte flags) {
    return (flags & BEGINS) != 0;
  }
}
