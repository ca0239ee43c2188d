package dev.kindling.kernels.random;

import dev.kindling.kernels.graph.op.RandomNormal;
import java.nio.ByteBuffer;

/**
 * Elements of random projections: standard normal numbers, rounded to the nearest bf16. Element i
 * of drawing t is number i mod 4 of Philox block (t * 2^32 + i) / 4 of a stream. A pure function,
 * so any rank makes any piece of a projection at any time, and nothing is stored.
 *
 * <p>Two words of a block make a pair by Box and Muller, in fp32 by polynomials of IEEE operations
 * alone: the same bits on every device, and none needs fp64, of which small GPUs have little. 24
 * bits of a uniform number bound a normal one by 5.77. The polynomials are those of FreeBSD's msun,
 * e_logf, k_sinf, k_cosf.
 */
public final class SketchNumbers {
  /** Keeps these streams apart from those that fill parameters with small seeds. */
  private static final long PURPOSE = 0x736B65746368_0001L;

  private static final int PER_BLOCK = 4;
  private static final float UNIT24 = 0x1.0p-24f;
  private static final float UNIT22 = 0x1.0p-22f;
  private static final int ROOT_HALF = 0x3F3504F3;
  private static final int ONE = 0x3F800000;
  private static final float LN2 = 0.69314718f;
  private static final float QUARTER_TURN = 1.5707964f;
  private static final float[] LOG = {0.24279079f, 0.28498787f, 0.40000972f, 0.66666663f};
  private static final float[] SINE = {2.7557314e-6f, -1.9841270e-4f, 8.3333338e-3f, -0.16666667f};
  private static final float[] COSINE = {2.4801588e-5f, -1.3888889e-3f, 4.1666668e-2f, -0.5f};

  private SketchNumbers() {}

  /** Key of a parameter's stream. */
  public static long key(long seed, String parameter) {
    return Initialization.key(seed ^ PURPOSE, parameter);
  }

  /**
   * Which drawing a step uses.
   *
   * @param step number of the update, from 1
   * @param interval steps with the same drawing
   */
  public static long drawing(long step, int interval) {
    return Math.max(0, step - 1) / interval;
  }

  /** Element {@code i} of a drawing. */
  public static float number(long key, long drawing, long i) {
    int[] words = new int[4];
    block(words, key, counter(drawing, i));
    return number(words, (int) (counter(drawing, i) % PER_BLOCK));
  }

  /** Where element {@code i} of a drawing stands in its stream. */
  public static long counter(long drawing, long i) {
    return drawing * RandomNormal.COUNTERS_PER_STEP + i;
  }

  /**
   * Writes numbers {@code begin + from} to {@code begin + to - 1} of a stream to places {@code
   * from} to {@code to - 1}, fp32. Makes no garbage.
   *
   * @param begin as {@link #counter} tells it
   * @param words four words, overwritten
   */
  public static void fill(long key, long begin, ByteBuffer target, int from, int to, int[] words) {
    for (int i = from; i < to; i++) {
      long counter = begin + i;
      int lane = (int) (counter % PER_BLOCK);
      if (i == from || lane == 0) {
        block(words, key, counter);
      }
      target.putFloat(i * Float.BYTES, number(words, lane));
    }
  }

  private static void block(int[] words, long key, long counter) {
    long block = counter / PER_BLOCK;
    words[0] = (int) block;
    words[1] = (int) (block >>> 32);
    words[2] = 0;
    words[3] = 0;
    Philox.block(words, key);
  }

  private static float number(int[] words, int lane) {
    float radius = radius(words[lane & 2]);
    int turn = words[(lane & 2) + 1] >>> 8;
    float angle = ((turn & 0x3FFFFF) * UNIT22 - 0.5f) * QUARTER_TURN;
    int quarter = turn >>> 22;
    // The second of a pair is the sine, which is the cosine a quarter turn before.
    int shifted = (quarter + 3 * (lane & 1)) & 3;
    float unit = (shifted & 1) == 0 ? cosine(angle) : sine(angle);
    return rounded(radius * (shifted == 1 || shifted == 2 ? -unit : unit));
  }

  /** sqrt(-2 ln u) of a uniform number in (0, 1]. */
  private static float radius(int word) {
    float uniform = ((word >>> 8) + 1) * UNIT24;
    int bits = Float.floatToRawIntBits(uniform) + (ONE - ROOT_HALF);
    int exponent = (bits >> 23) - 127;
    float f = Float.intBitsToFloat((bits & 0x7FFFFF) + ROOT_HALF) - 1f;
    float s = f / (2f + f);
    float z = s * s;
    float half = 0.5f * f * f;
    float tail = half - s * Math.fma(z, polynomial(LOG, z), half);
    float log = Math.fma(exponent, LN2, f - tail);
    return (float) Math.sqrt(Math.max(0f, -2f * log));
  }

  private static float sine(float x) {
    float z = x * x;
    return Math.fma(x * z, polynomial(SINE, z), x);
  }

  private static float cosine(float x) {
    float z = x * x;
    return Math.fma(z, polynomial(COSINE, z), 1f);
  }

  private static float polynomial(float[] coefficients, float x) {
    float sum = coefficients[0];
    for (int i = 1; i < coefficients.length; i++) {
      sum = Math.fma(sum, x, coefficients[i]);
    }
    return sum;
  }

  /** Nearest bf16 number, ties to even. */
  private static float rounded(float number) {
    int bits = Float.floatToRawIntBits(number);
    return Float.intBitsToFloat((bits + 0x7FFF + ((bits >>> 16) & 1)) & 0xFFFF0000);
  }
}
