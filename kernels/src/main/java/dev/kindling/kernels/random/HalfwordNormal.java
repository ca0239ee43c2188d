package dev.kindling.kernels.random;

/**
 * Standard normal numbers cheap enough for a kernel that only moves memory, the same bits on every
 * device: every operation below is exact, correctly rounded or a fused multiply-add.
 *
 * <pre>
 * block q = Philox(key; lo32 q, hi32 q, step, direction),  element e: q = e / 8, word e mod 8 / 2
 * word w: u = (2 (w >>> 16) + 1) / 2^17,  angle a = (w mod 2^13 + 1/2) pi / 2^15,  two signs, a swap
 * rho = sqrt(-2 ln u);  even e: +- rho cos a or sin a,  odd e: +- the other one
 * </pre>
 *
 * <p>Box-Muller with the plane folded to one octant: signs and swap are bits of their own, so sine
 * and cosine need no reduction. 16 bits of radius cut the tail at 4.86; logarithm (Abramowitz and
 * Stegun 4.1.43), root (two Newton steps) and sine are polynomials good to 1e-5, which moves the
 * variance by less than 1e-4. A device spends about 37 instructions on an element, Philox included;
 * with 24 bits and exact functions it would be twice that.
 */
public final class HalfwordNormal {
  /** Elements of one Philox block. */
  public static final int LANES = 8;

  private static final float TWO_LN2 = 1.3862944f;

  /** {@code -2 ln(1 + t)}, t in [0, 1), highest power first. */
  private static final float[] LOG = {
    -0.0643169f, 0.2721255f, -0.57894956f, 0.98381792f, -1.99899112f
  };

  /** Least {@code -2 ln u}; what the polynomial makes smaller is raised to it. */
  private static final float LEAST = 0x1.0p-16f;

  private static final float ANGLE = 9.58738e-5f;
  private static final int ROOT = 0x5F375A86;

  /** Keeps these streams apart from those that fill parameters and round them. */
  private static final long PURPOSE = 0x70657274757262L;

  private HalfwordNormal() {}

  /** Key of a parameter's directions in a run. */
  public static long key(long seed, String parameter) {
    return Initialization.key(seed ^ PURPOSE, parameter);
  }

  /**
   * Numbers of elements {@code LANES * block} to {@code LANES * block + 7}.
   *
   * @param words room for four words
   * @param z where the eight numbers go
   */
  public static void block(int[] words, long key, long block, int step, int direction, float[] z) {
    words[0] = (int) block;
    words[1] = (int) (block >>> 32);
    words[2] = step;
    words[3] = direction;
    Philox.block(words, key);
    for (int i = 0; i < words.length; i++) {
      pair(words[i], z, 2 * i);
    }
  }

  private static void pair(int word, float[] z, int at) {
    float odd = (word >>> 15) | 1;
    int bits = Float.floatToRawIntBits(odd);
    float exponent = (bits >>> 23) - 144;
    float t = Float.intBitsToFloat((bits & 0x7FFFFF) | 0x3F800000) - 1f;
    float log = LOG[0];
    for (int i = 1; i < LOG.length; i++) {
      log = Math.fma(log, t, LOG[i]);
    }
    float square = Math.max(Math.fma(log, t, -TWO_LN2 * exponent), LEAST);
    float rho = square * inverseRoot(square);
    float angle = Math.fma(word & 0x1FFF, ANGLE, 0.5f * ANGLE);
    float angle2 = angle * angle;
    float sine = angle * Math.fma(Math.fma(0.0083333f, angle2, -0.1666667f), angle2, 1f);
    float cosine =
        Math.fma(Math.fma(Math.fma(-0.0013889f, angle2, 0.0416667f), angle2, -0.5f), angle2, 1f);
    boolean swap = (word & 0x2000) != 0;
    z[at] = signed(rho * (swap ? sine : cosine), word << 16);
    z[at + 1] = signed(rho * (swap ? cosine : sine), word << 17);
  }

  private static float inverseRoot(float x) {
    float half = -0.5f * x;
    float y = Float.intBitsToFloat(ROOT - (Float.floatToRawIntBits(x) >>> 1));
    y *= Math.fma(half * y, y, 1.5f);
    return y * Math.fma(half * y, y, 1.5f);
  }

  private static float signed(float value, int sign) {
    return Float.intBitsToFloat(Float.floatToRawIntBits(value) ^ (sign & 0x80000000));
  }
}
