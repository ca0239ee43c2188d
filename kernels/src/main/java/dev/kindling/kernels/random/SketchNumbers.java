package dev.kindling.kernels.random;

import dev.kindling.kernels.graph.op.RandomNormal;
import java.nio.ByteBuffer;

/**
 * Elements of random projections: element i of drawing t is the standard normal number t * 2^32 + i
 * of a Philox stream, rounded to the nearest bf16. A pure function, so any rank makes any piece of
 * a projection at any time, and nothing is stored.
 */
public final class SketchNumbers {
  /** Keeps these streams apart from those that fill parameters with small seeds. */
  private static final long PURPOSE = 0x736B65746368_0001L;

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
    return rounded(Philox.normal(key, drawing * RandomNormal.COUNTERS_PER_STEP + i));
  }

  /**
   * Writes elements {@code first + from} to {@code first + to - 1} of a drawing to places {@code
   * from} to {@code to - 1}, fp32. Makes no garbage.
   *
   * @param words four words, overwritten
   */
  public static void fill(
      long key, long drawing, long first, ByteBuffer target, int from, int to, int[] words) {
    long begin = drawing * RandomNormal.COUNTERS_PER_STEP + first;
    double radius = 0;
    double angle = 0;
    for (int i = from; i < to; i++) {
      long counter = begin + i;
      if (i == from || (counter & 1) == 0) {
        long pair = counter >>> 1;
        words[0] = (int) pair;
        words[1] = (int) (pair >>> 32);
        words[2] = 0;
        words[3] = 0;
        Philox.block(words, key);
        radius = Philox.radius(words);
        angle = Philox.angle(words);
      }
      double unit = (counter & 1) == 0 ? StrictMath.cos(angle) : StrictMath.sin(angle);
      target.putFloat(i * Float.BYTES, rounded(radius * unit));
    }
  }

  /** Nearest bf16 number, ties to even. */
  private static float rounded(double number) {
    int bits = Float.floatToRawIntBits((float) number);
    return Float.intBitsToFloat((bits + 0x7FFF + (bits >>> 16 & 1)) & 0xFFFF0000);
  }
}
