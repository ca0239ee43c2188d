package dev.kindling.comm.ring;

import java.time.Duration;

/**
 * What a benchmark may turn; arithmetic changes only with {@code directBytes} in ring order (a
 * message below it is folded as a tree). Defaults are measured, see docs/LOG.md.
 *
 * @param directBytes largest all-reduce that every rank sends whole to every other
 * @param windowBytes received and not yet added, per peer; a power of two
 * @param stepBytes largest single read or write
 * @param socketBytes kernel buffer per direction, 0 for the kernel's own choice
 * @param sharedBytes shared memory per direction between two ranks of a host; a power of two, 0 to
 *     use sockets there too
 * @param spin how long an idle rank asks again before it sleeps in the selector
 */
public record Tuning(
    int directBytes,
    int windowBytes,
    int stepBytes,
    int socketBytes,
    int sharedBytes,
    Duration spin) {
  public Tuning {
    if (directBytes < 0 || directBytes > 1 << 24) {
      throw new IllegalArgumentException("directBytes: expected 0..2^24, found " + directBytes);
    }
    if (windowBytes < 4096 || Integer.bitCount(windowBytes) != 1) {
      throw new IllegalArgumentException(
          "windowBytes: expected a power of two from 4096, found " + windowBytes);
    }
    if (stepBytes < 1024) {
      throw new IllegalArgumentException("stepBytes: expected at least 1024, found " + stepBytes);
    }
    if (socketBytes < 0) {
      throw new IllegalArgumentException("socketBytes: expected 0 or more, found " + socketBytes);
    }
    if (sharedBytes != 0 && (sharedBytes < 4096 || Integer.bitCount(sharedBytes) != 1)) {
      throw new IllegalArgumentException(
          "sharedBytes: expected 0 or a power of two from 4096, found " + sharedBytes);
    }
    if (spin.isNegative()) {
      throw new IllegalArgumentException("spin: expected 0 or more, found " + spin);
    }
  }

  /** The smallest window that a lane may have. */
  int smallestWindow() {
    return sharedBytes == 0 ? windowBytes : Math.min(windowBytes, sharedBytes);
  }

  /** The same with sockets between ranks of a host too. */
  public Tuning withoutSharedMemory() {
    return new Tuning(directBytes, windowBytes, stepBytes, socketBytes, 0, spin);
  }

  /** The measured defaults. */
  public static Tuning defaults() {
    return new Tuning(64 << 10, 512 << 10, 512 << 10, 0, 512 << 10, Duration.ofNanos(50_000));
  }
}
