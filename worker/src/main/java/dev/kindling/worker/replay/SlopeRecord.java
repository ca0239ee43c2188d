package dev.kindling.worker.replay;

import java.nio.ByteBuffer;

/**
 * One direction of one step, 16 bytes little-endian: step u32, slope fp32, rate fp32, then u32 with
 * the direction in the lower 16 bits and bit 31 for a step that was skipped. The random numbers
 * follow from the run's seed and the step number, so no seed is stored.
 *
 * @param step from 1
 * @param slope of the mean loss along the direction, as the update used it
 * @param rate learning rate of the step, as the update used it
 */
public record SlopeRecord(long step, int direction, float slope, float rate, boolean skipped) {
  public static final int BYTES = 16;
  private static final int SKIPPED = 0x80000000;

  /** Appends the record without making one: a step leaves no garbage. */
  static void put(
      ByteBuffer to, long step, int direction, float slope, float rate, boolean skipped) {
    to.putInt((int) step).putFloat(slope).putFloat(rate);
    to.putInt(direction | (skipped ? SKIPPED : 0));
  }

  static SlopeRecord take(ByteBuffer from) {
    long step = Integer.toUnsignedLong(from.getInt());
    float slope = from.getFloat();
    float rate = from.getFloat();
    int flags = from.getInt();
    return new SlopeRecord(step, flags & 0xFFFF, slope, rate, (flags & SKIPPED) != 0);
  }
}
