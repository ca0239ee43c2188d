package dev.kindling.kernels.backend.cpu.vector;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Where an array of 4-byte elements (F32 or I32) begins: a direct little-endian buffer and the index of its first
 * element.
 *
 * <p>Made once when a program is compiled, so that a step allocates nothing. The buffer's position and limit are never
 * moved; its capacity is below 2 GiB, so that byte positions fit an int.
 *
 * @param buffer direct, little-endian
 * @param at index of the first element, counted in 4-byte elements from the start of the buffer
 */
public record Operand(ByteBuffer buffer, int at) {
  public Operand {
    if (!buffer.isDirect() || buffer.order() != ByteOrder.LITTLE_ENDIAN) {
      throw new IllegalArgumentException("buffer: expected direct and little-endian");
    }
    if (at < 0 || (long) at * Float.BYTES > buffer.capacity()) {
      throw new IllegalArgumentException(
          "at: expected 0 to " + buffer.capacity() / Float.BYTES + ", found " + at);
    }
  }

  /** The same buffer, {@code elements} further on. */
  public Operand plus(int elements) {
    return new Operand(buffer, at + elements);
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
