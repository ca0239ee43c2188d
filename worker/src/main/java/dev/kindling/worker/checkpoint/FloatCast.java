package dev.kindling.worker.checkpoint;

import java.nio.ByteBuffer;

/**
 * Elements of one floating-point type as those of another. F16 and BF16 widen exactly, subnormals
 * included; F32 narrows to the nearest value, of two equally near ones to that with an even last
 * bit (IEEE 754, roundTiesToEven). Widened and narrowed again every number is what it was.
 */
public final class FloatCast {
  /** The smallest normal F16 number, as F32. */
  private static final int HALF_NORMAL = 0x38800000;

  /** From here on, 65520, the nearest F16 number is infinity. */
  private static final int HALF_OVERFLOW = 0x477ff000;

  /** How much larger the biased exponent of F32 is, in place. */
  private static final int HALF_BIAS = 112 << 23;

  private static final int INFINITY = 0x7f800000;

  private FloatCast() {}

  /** Whether this class knows the type. */
  public static boolean knows(SafetensorsType dtype) {
    return dtype == SafetensorsType.F32
        || dtype == SafetensorsType.BF16
        || dtype == SafetensorsType.F16;
  }

  /**
   * Moves what remains in the source to the target; both are little endian.
   *
   * @param from type of the source
   * @param to type of the target, which has room for as many elements
   * @throws IllegalArgumentException for two types of which one is none that {@link #knows}
   */
  public static void cast(
      SafetensorsType from, ByteBuffer source, SafetensorsType to, ByteBuffer target) {
    if (from == to) {
      target.put(source);
      return;
    }
    if (!knows(from) || !knows(to)) {
      throw new IllegalArgumentException("expected F32, BF16 or F16, found " + from + ", " + to);
    }
    while (source.hasRemaining()) {
      float value =
          from == SafetensorsType.F32 ? source.getFloat() : widened(from, source.getShort());
      if (to == SafetensorsType.F32) {
        target.putFloat(value);
      } else {
        target.putShort(narrowed(value, to));
      }
    }
  }

  /** A BF16 or F16 number as F32, exactly. */
  static float widened(SafetensorsType from, short bits) {
    return from == SafetensorsType.BF16 ? Float.intBitsToFloat(bits << 16) : ofHalf(bits);
  }

  /** The nearest BF16 or F16 number; infinity where a finite number is too large for the type. */
  static short narrowed(float value, SafetensorsType to) {
    return to == SafetensorsType.BF16 ? toBrain(value) : toHalf(value);
  }

  private static float ofHalf(short half) {
    int sign = (half & 0x8000) << 16;
    int exponent = (half >> 10) & 0x1f;
    int fraction = half & 0x3ff;
    if (exponent == 0) {
      return Float.intBitsToFloat(sign | Float.floatToRawIntBits(fraction * 0x1p-24f));
    }
    int wide = exponent == 31 ? 255 : exponent + 112;
    return Float.intBitsToFloat(sign | (wide << 23) | (fraction << 13));
  }

  private static short toBrain(float value) {
    int bits = Float.floatToRawIntBits(value);
    if ((bits & 0x7fffffff) > INFINITY) {
      return (short) ((bits >>> 16) | 0x40);
    }
    return (short) ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16);
  }

  private static short toHalf(float value) {
    int bits = Float.floatToRawIntBits(value);
    int sign = (bits >>> 16) & 0x8000;
    int magnitude = bits & 0x7fffffff;
    if (magnitude > INFINITY) {
      return (short) (sign | 0x7e00 | ((magnitude >>> 13) & 0x3ff));
    }
    if (magnitude >= HALF_OVERFLOW) {
      return (short) (sign | 0x7c00);
    }
    if (magnitude < HALF_NORMAL) {
      // Counts of the smallest subnormal number; rint takes the even one of two equally near.
      double counts = Float.intBitsToFloat(magnitude) * 0x1p24;
      return (short) (sign | (int) Math.rint(counts));
    }
    int rounded = magnitude + 0xfff + ((magnitude >>> 13) & 1);
    return (short) (sign | ((rounded - HALF_BIAS) >>> 13));
  }
}
