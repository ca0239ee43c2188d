package dev.kindling.comm.ring;

/**
 * How a message is cut into one slice per rank: equal, starting at multiples of 64 bytes, the last
 * ones shorter or empty.
 */
final class Slices {
  private static final int ALIGNMENT = 64;

  private Slices() {}

  /** Offset of the slice of {@code rank}. */
  static int start(int bytes, int worldSize, int rank) {
    long step = (bytes + (long) worldSize * ALIGNMENT - 1) / ((long) worldSize * ALIGNMENT);
    return (int) Math.min(bytes, rank * step * ALIGNMENT);
  }

  /** Length of the slice of {@code rank}. */
  static int bytes(int bytes, int worldSize, int rank) {
    return start(bytes, worldSize, rank + 1) - start(bytes, worldSize, rank);
  }
}
