package dev.kindling.kernels.backend.cuda;

import java.nio.ByteBuffer;

/** Between fp32 and bf16 on the host, little-endian buffers from their start. */
final class Bf16 {
  private static final int HALF = 0x7FFF;

  private Bf16() {}

  /** To nearest, ties to even; fills {@code narrow}. */
  static void narrow(ByteBuffer wide, ByteBuffer narrow) {
    for (int i = 0; i < narrow.capacity() / 2; i++) {
      narrow.putShort(2 * i, bits(wide.getFloat(4 * i)));
    }
  }

  static short bits(float value) {
    int bits = Float.floatToRawIntBits(value);
    if (Float.isNaN(value)) {
      return (short) (bits >>> 16 | 0x40);
    }
    return (short) ((bits + HALF + (bits >>> 16 & 1)) >>> 16);
  }

  /** Exact; reads all of {@code narrow}. */
  static void widen(ByteBuffer narrow, ByteBuffer wide) {
    for (int i = 0; i < narrow.capacity() / 2; i++) {
      wide.putFloat(4 * i, Float.intBitsToFloat(narrow.getShort(2 * i) << 16));
    }
  }
}
