package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.ValueType;

/**
 * Numbers of 4 bits: 16 levels that are equally likely where weights are normal, and the largest
 * absolute value of each {@link #BLOCK} elements, itself stored in 8 bits. After Dettmers et al.
 * 2023 (QLoRA, 2305.14314), sections 3.1 and appendix E.
 *
 * <p>How n elements of a matrix, row-major, are stored; bytes lie as bitsandbytes writes them:
 *
 * <pre>
 * codes       I32 [ceil(n / 8)]      two elements a byte, the first in its high half
 * scales      I32 [ceil(blocks / 4)] one byte a block: {@link DynamicCode#SIGNED} of its largest
 *                                    absolute value less the offset, over the group's scale
 * statistics  F32 [1 + groups]       the offset, then the scale of each {@link #GROUP} blocks
 * </pre>
 *
 * 4 + 8 / 64 + 32 / (64 * 256) = 4.127 bits an element.
 */
public final class Nf4 {
  /** Elements that share a largest absolute value; the last block may be shorter. */
  public static final int BLOCK = 64;

  /** Blocks that share a scale; the last group may be shorter. */
  public static final int GROUP = 256;

  /** Elements of one I32. */
  public static final int WORD = 8;

  private static final float[] LEVELS = {
    -1f,
    -0.6961928f,
    -0.52507305f,
    -0.3949175f,
    -0.28444138f,
    -0.18477343f,
    -0.091050036f,
    0f,
    0.0795803f,
    0.1609302f,
    0.2461123f,
    0.33791524f,
    0.44070983f,
    0.562617f,
    0.72295684f,
    1f
  };

  private static final float[] LIMITS = new float[LEVELS.length - 1];

  static {
    for (int code = 0; code < LIMITS.length; code++) {
      LIMITS[code] = (float) (((double) LEVELS[code] + LEVELS[code + 1]) / 2);
    }
  }

  private Nf4() {}

  /** What the codes 0 to 15 stand for, ascending. */
  public static float[] levels() {
    return LEVELS.clone();
  }

  public static float level(int code) {
    return LEVELS[code];
  }

  /** The nearest code of a number in [-1, 1], the lower one of two; 0 for NaN. */
  public static int code(float number) {
    int code = number > LIMITS[7] ? 8 : 0;
    code += number > LIMITS[code + 3] ? 4 : 0;
    code += number > LIMITS[code + 1] ? 2 : 0;
    return number > LIMITS[code] ? code + 1 : code;
  }

  /** Blocks of so many elements. */
  public static int blocks(long elements) {
    return Math.toIntExact((elements + BLOCK - 1) / BLOCK);
  }

  /** Type of the codes of so many elements. */
  public static ValueType codes(long elements) {
    return words((elements + WORD - 1) / WORD);
  }

  /** Type of the codes of their blocks' largest absolute values. */
  public static ValueType scales(long elements) {
    return words((blocks(elements) + 3) / 4);
  }

  /** Type of offset and scales. */
  public static ValueType statistics(long elements) {
    return ValueType.f32(1 + (blocks(elements) + GROUP - 1) / GROUP);
  }

  private static ValueType words(long count) {
    return new ValueType(Shape.of(Math.toIntExact(count)), DType.I32);
  }
}
