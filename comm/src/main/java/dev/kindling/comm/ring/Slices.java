package dev.kindling.comm.ring;

/**
 * How {@code bytes} are cut into one slice per rank: equal, starting at multiples of 64 bytes, the
 * last ones shorter or empty.
 */
record Slices(int bytes, int worldSize) {
  private static final int ALIGNMENT = 64;

  int start(int rank) {
    long step = (bytes + (long) worldSize * ALIGNMENT - 1) / ((long) worldSize * ALIGNMENT);
    return (int) Math.min(bytes, rank * step * ALIGNMENT);
  }

  int bytes(int rank) {
    return start(rank + 1) - start(rank);
  }
}
