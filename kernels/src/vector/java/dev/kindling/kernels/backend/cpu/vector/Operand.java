package dev.kindling.kernels.backend.cpu.vector;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.function.ToLongFunction;

/**
 * Where an array of 4-byte elements (F32 or I32) begins: a direct little-endian buffer and the
 * index of its first element, counted in 4-byte elements from the start of the buffer.
 *
 * <p>Made once when a program is compiled, so that a step allocates nothing. The buffer's position
 * and limit are never read or moved; its capacity is below 2 GiB, so that byte positions fit an
 * int.
 */
public final class Operand {
  private final ByteBuffer buffer;
  private final int at;
  private long address;

  public Operand(ByteBuffer buffer, int at) {
    if (!buffer.isDirect() || buffer.order() != ByteOrder.LITTLE_ENDIAN) {
      throw new IllegalArgumentException("buffer: expected direct and little-endian");
    }
    if (at < 0 || (long) at * Float.BYTES > buffer.capacity()) {
      throw new IllegalArgumentException(
          "at: expected 0 to " + buffer.capacity() / Float.BYTES + ", found " + at);
    }
    this.buffer = buffer;
    this.at = at;
  }

  public ByteBuffer buffer() {
    return buffer;
  }

  /** Index of the first element. */
  public int at() {
    return at;
  }

  /** The same buffer, {@code elements} further on. */
  public Operand plus(int elements) {
    return new Operand(buffer, at + elements);
  }

  /**
   * Address of the first element for native code, asked of {@code addressOf} once: about 200 ns the
   * first time, so an operand of a native call is worth keeping.
   */
  public long address(ToLongFunction<ByteBuffer> addressOf) {
    long known = address;
    if (known == 0) {
      known = addressOf.applyAsLong(buffer) + (long) at * Float.BYTES;
      address = known;
    }
    return known;
  }

  public float get(int index) {
    return buffer.getFloat((at + index) << 2);
  }

  public int getInt(int index) {
    return buffer.getInt((at + index) << 2);
  }

  public void set(int index, float value) {
    buffer.putFloat((at + index) << 2, value);
  }
}
