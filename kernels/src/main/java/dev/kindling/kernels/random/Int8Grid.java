package dev.kindling.kernels.random;

import dev.kindling.kernels.memory.Span;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.stream.LongStream;

/**
 * Numbers as codes of 8 bits: each {@link #GROUP} elements, and what is left behind the last whole
 * group, lie on a grid of their own.
 *
 * <pre>
 * low = min(0, all w), high = max(0, all w)
 * scale = (high - low) / 253, its mantissa rounded up to 16 bits;  zero = -floor(low / scale)
 * w = (code - zero) scale,   code = zero + w / scale, rounded
 * </pre>
 *
 * <p>A whole multiple of 255 scales has 24 bits, so every number of a grid is one of fp32, and no
 * code is clamped: rounding at random stays right in the mean for the largest numbers too. 0 is
 * always on the grid, and groups of one sign use all of it. The low 8 bits of a scale, which are 0,
 * hold the zero point: 1 byte an element and 4 a group. After Dettmers et al. 2022 (2110.02861) for
 * blocks, and Zhu et al. 2025 (2412.05270), section 5.4, for weights of this kind.
 */
public final class Int8Grid {
  /** Elements that share a scale. */
  public static final int GROUP = 128;

  /** Intervals between the lowest and the highest number; rounding outwards takes two more. */
  private static final float INTERVALS = 253f;

  /** Keeps a group of zeros finite. */
  private static final float LEAST = 0x1p-64f;

  private static final int LOW_BITS = 0xFF;
  private static final int CODES = 256;
  private static final int MANTISSA = 23;
  private static final int FRACTIONS = 1 << 16;
  private static final int ALIGNMENT = 16;
  private static final long PIECE_GROUPS = 1L << 12;

  private Int8Grid() {}

  /**
   * @param low at most 0
   * @param high at least 0
   */
  public static float scale(float low, float high) {
    int bits = Float.floatToRawIntBits((high - low) / INTERVALS);
    return Math.max(Float.intBitsToFloat(bits + LOW_BITS & ~LOW_BITS), LEAST);
  }

  /** The number of the grid above or below w, at random: right in the mean up to 2^-16 scales. */
  public static float round(float w, float scale, int random) {
    float steps = w / scale;
    float below = (float) Math.floor(steps);
    return (below + ((int) ((steps - below) * FRACTIONS) > random ? 1 : 0)) * scale;
  }

  /** The nearest number of the grid. */
  private static float nearest(float w, float scale) {
    // A zero below 0 would come back from its code as another one.
    return (float) Math.rint(w / scale) * scale + 0f;
  }

  private static int groups(long elements) {
    return Math.toIntExact((elements + GROUP - 1) / GROUP);
  }

  /** Where the grids of so many elements begin behind their codes, in bytes. */
  public static long gridsAt(long elements) {
    return (elements + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  }

  /** As {@link #gridsAt}, from what {@link #bytes} said. */
  public static long gridsOf(long bytes) {
    int groupBytes = GROUP + Integer.BYTES;
    return bytes - (bytes + groupBytes - 1) / groupBytes * Integer.BYTES;
  }

  /** Codes and grids of so many elements. */
  public static long bytes(long elements) {
    return gridsAt(elements) + (long) Integer.BYTES * groups(elements);
  }

  /** Puts all numbers, fp32 from the beginning of a group, on grids, each to the nearest. */
  public static void nearest(Span values) {
    long elements = values.bytes() / Float.BYTES;
    eachGroup(elements, (first, count) -> nearest(values, first, count));
  }

  private static void nearest(Span values, long first, int count) {
    float low = 0;
    float high = 0;
    for (long i = first; i < first + count; i++) {
      low = Math.min(low, values.getFloat(i));
      high = Math.max(high, values.getFloat(i));
    }
    float scale = scale(low, high);
    for (long i = first; i < first + count; i++) {
      values.putFloat(i, nearest(values.getFloat(i), scale));
    }
  }

  /**
   * Codes and grids of numbers. Those that lie on a grid keep every bit, whatever grid it was;
   * others go to the nearest of a new one.
   *
   * @param values fp32
   * @return {@link #bytes} of them, to be closed by the caller
   */
  public static Span encode(Span values) {
    long elements = values.bytes() / Float.BYTES;
    Span coded = Span.allocate(bytes(elements));
    ByteBuffer target = coded.buffer();
    long grids = gridsAt(elements);
    eachGroup(elements, (first, count) -> encode(values, first, count, target, grids));
    return coded;
  }

  private static void encode(Span values, long first, int count, ByteBuffer target, long grids) {
    float[] group = new float[count];
    for (int i = 0; i < count; i++) {
      group[i] = values.getFloat(first + i);
    }
    float scale = scaleOf(group);
    if (scale == 0) {
      float low = 0;
      float high = 0;
      for (float w : group) {
        low = Math.min(low, w);
        high = Math.max(high, w);
      }
      scale = scale(low, high);
    }
    int lowest = 0;
    for (float w : group) {
      lowest = Math.min(lowest, (int) Math.rint(w / scale));
    }
    for (int i = 0; i < count; i++) {
      int code = (int) Math.rint(group[i] / scale) - lowest;
      target.put(Math.toIntExact(first + i), (byte) code);
    }
    int word = Float.floatToRawIntBits(scale) | -lowest;
    target.putInt(Math.toIntExact(grids + Integer.BYTES * (first / GROUP)), word);
  }

  /** A scale of which all numbers are whole multiples that 8 bits count, 0 if there is none. */
  private static float scaleOf(float[] group) {
    int least = Integer.MAX_VALUE;
    int most = Integer.MIN_VALUE;
    for (float w : group) {
      if (w != 0) {
        least = Math.min(least, Math.getExponent(w));
        most = Math.max(most, Math.getExponent(w));
      }
    }
    if (least == Integer.MAX_VALUE) {
      return LEAST;
    }
    // Multiples of one number by at most 255 are at most eight powers of two apart.
    if (most - least > 8 || least <= Float.MIN_EXPONENT || most > Float.MAX_EXPONENT) {
      return 0;
    }
    int unit = least - MANTISSA;
    long divisor = 0;
    long lowest = 0;
    long highest = 0;
    for (float w : group) {
      long multiple = (long) Math.scalb((double) w, -unit);
      divisor = divisor(Math.abs(multiple), divisor);
      lowest = Math.min(lowest, multiple);
      highest = Math.max(highest, multiple);
    }
    long span = (highest - lowest) / divisor;
    for (int parts = 1; span * parts < CODES; parts++) {
      float scale = (float) Math.scalb((double) divisor / parts, unit);
      boolean fits = (Float.floatToRawIntBits(scale) & LOW_BITS) == 0;
      if (fits && Math.scalb((double) scale, -unit) * parts == divisor) {
        return scale;
      }
    }
    return 0;
  }

  private static long divisor(long a, long b) {
    long larger = b;
    long smaller = a;
    while (smaller != 0) {
      long rest = larger % smaller;
      larger = smaller;
      smaller = rest;
    }
    return larger;
  }

  /**
   * Numbers first to first + count - 1 of a tensor.
   *
   * @param codes from the code of number {@code first}
   * @param grids from the grid that it lies on
   */
  public static void decode(ByteBuffer codes, ByteBuffer grids, long first, Span target) {
    long count = target.bytes() / Float.BYTES;
    ByteBuffer words = grids.duplicate().order(ByteOrder.LITTLE_ENDIAN);
    for (long i = 0; i < count; i++) {
      long group = (first + i) / GROUP - first / GROUP;
      int word = words.getInt(Math.toIntExact(group * Integer.BYTES));
      float scale = Float.intBitsToFloat(word & ~LOW_BITS);
      int steps = (codes.get(Math.toIntExact(i)) & 0xFF) - (word & LOW_BITS);
      target.putFloat(i, steps * scale);
    }
  }

  private interface Group {
    void run(long first, int count);
  }

  /** On all cores: a model has some ten million groups. */
  private static void eachGroup(long elements, Group group) {
    long groups = groups(elements);
    LongStream.range(0, (groups + PIECE_GROUPS - 1) / PIECE_GROUPS)
        .parallel()
        .forEach(
            piece -> {
              long end = Math.min(groups, (piece + 1) * PIECE_GROUPS);
              for (long g = piece * PIECE_GROUPS; g < end; g++) {
                long first = g * GROUP;
                group.run(first, (int) Math.min(GROUP, elements - first));
              }
            });
  }
}
