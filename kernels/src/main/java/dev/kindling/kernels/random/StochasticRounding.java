package dev.kindling.kernels.random;

import dev.kindling.kernels.graph.op.RandomNormal;

/**
 * Rounds fp32 to bf16 up or down at random, so that the expectation is the fp32 value: with u the
 * low 16 bits of the pattern and r uniform in [0, 65535], away from zero if u > r. What bf16 can
 * represent stays as it is. After Gupta et al. 2015 (1502.02551), section 3.
 *
 * <p>r of element i in step t is the 16-bit lane i mod 8 of Philox block (t * 2^32 + i) / 8 of a
 * key: a pure function, so nothing is stored and a resumed run rounds alike.
 */
public final class StochasticRounding {
  private static final int FRACTION = 0xFFFF;
  private static final int INFINITE = 0x7F800000;
  private static final int QUIET = 0x00400000;
  private static final int LANES = 8;

  /** Keeps these streams apart from those that fill parameters with small seeds. */
  private static final long PURPOSE = 0x726F756E64696E67L;

  private StochasticRounding() {}

  /** Key of a parameter's stream. */
  public static long key(long seed, String parameter) {
    return Initialization.key(seed ^ PURPOSE, parameter);
  }

  /**
   * Makes the random numbers of the elements that share element i's Philox block.
   *
   * @param words four words, overwritten
   */
  public static void block(int[] words, long key, long step, long i) {
    long counter = (step * RandomNormal.COUNTERS_PER_STEP + i) / LANES;
    words[0] = (int) counter;
    words[1] = (int) (counter >>> 32);
    words[2] = 0;
    words[3] = 0;
    Philox.block(words, key);
  }

  /** Whether element i is the first of its block. */
  public static boolean beginsBlock(long i) {
    return i % LANES == 0;
  }

  /** r of element i, from the words of its block. */
  public static int random(int[] words, long i) {
    int lane = (int) (i % LANES);
    return words[lane / 2] >>> (16 * (lane % 2)) & FRACTION;
  }

  /** The nearest bf16 number, ties to even; what is not finite stays as it is. */
  public static float nearest(float value) {
    int bits = Float.floatToRawIntBits(value);
    if ((bits & INFINITE) == INFINITE) {
      return round(value, FRACTION);
    }
    return Float.intBitsToFloat(bits + 0x7FFF + (bits >>> 16 & 1) & ~FRACTION);
  }

  /**
   * @param random r, 0 to 65535
   */
  public static float round(float value, int random) {
    int bits = Float.floatToRawIntBits(value);
    int cut = bits & ~FRACTION;
    if ((bits & INFINITE) == INFINITE) {
      return Float.intBitsToFloat(Float.isNaN(value) ? cut | QUIET : cut);
    }
    return Float.intBitsToFloat((bits & FRACTION) > random ? cut + FRACTION + 1 : cut);
  }
}
