package dev.kindling.kernels.random;

/**
 * Philox4x32-10: a number is a pure function of a key and a counter, so that it depends on no
 * order, thread or rank. Logarithm, root and cosine come from StrictMath: the same bits on every
 * machine. After Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3", section 5.
 */
public final class Philox {
  private static final int MULTIPLIER0 = 0xD2511F53;
  private static final int MULTIPLIER1 = 0xCD9E8D57;
  private static final int WEYL0 = 0x9E3779B9;
  private static final int WEYL1 = 0xBB67AE85;
  private static final int ROUNDS = 10;
  private static final double UNIT53 = 0x1.0p-53;

  private Philox() {}

  /** Encrypts the 128-bit counter in place; words are little-endian. */
  static void block(int[] counter, long key) {
    int key0 = (int) key;
    int key1 = (int) (key >>> 32);
    for (int round = 0; round < ROUNDS; round++) {
      long product0 = (MULTIPLIER0 & 0xFFFFFFFFL) * (counter[0] & 0xFFFFFFFFL);
      long product1 = (MULTIPLIER1 & 0xFFFFFFFFL) * (counter[2] & 0xFFFFFFFFL);
      int word0 = (int) (product1 >>> 32) ^ counter[1] ^ key0;
      int word2 = (int) (product0 >>> 32) ^ counter[3] ^ key1;
      counter[0] = word0;
      counter[1] = (int) product1;
      counter[2] = word2;
      counter[3] = (int) product0;
      key0 += WEYL0;
      key1 += WEYL1;
    }
  }

  /** 64 bits. */
  public static long bits(long key, long counter) {
    int[] words = words(key, counter);
    return joined(words[0], words[1]);
  }

  /** 32 bits without a sign: four neighbouring indices share a block. */
  public static long word(long key, long index) {
    return words(key, index >>> 2)[(int) (index & 3)] & 0xFFFFFFFFL;
  }

  /** Uniform in [0, 1), 53 bits. */
  public static double uniform(long key, long counter) {
    return (bits(key, counter) >>> 11) * UNIT53;
  }

  /** Standard normal (Box-Muller): counters 2i and 2i + 1 are the two of one pair. */
  public static double normal(long key, long counter) {
    int[] words = words(key, counter >>> 1);
    double radius = radius(words);
    double angle = angle(words);
    return radius * ((counter & 1) == 0 ? StrictMath.cos(angle) : StrictMath.sin(angle));
  }

  static int[] words(long key, long counter) {
    int[] words = {(int) counter, (int) (counter >>> 32), 0, 0};
    block(words, key);
    return words;
  }

  /** From a uniform number in (0, 1], so that the logarithm is finite. */
  static double radius(int[] words) {
    double uniform = ((joined(words[0], words[1]) >>> 11) + 1) * UNIT53;
    return Math.sqrt(-2.0 * StrictMath.log(uniform));
  }

  static double angle(int[] words) {
    return 2.0 * Math.PI * ((joined(words[2], words[3]) >>> 11) * UNIT53);
  }

  private static long joined(int low, int high) {
    return (low & 0xFFFFFFFFL) | ((long) high << 32);
  }
}
