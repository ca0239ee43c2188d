package dev.kindling.comm.nccl;

import dev.kindling.kernels.graph.Axis;
import java.time.Duration;

/**
 * How one rank opens its communicator and how patient it is.
 *
 * @param axis of the mesh that the ranks lie along, for messages
 * @param openTimeout from the agreement on an id to a connected communicator
 * @param runTimeout longest time from a submission, or from the end of the one before it, to its
 *     end; a call that only starts work has as long
 * @param closeTimeout longest time for the library to let go of a communicator
 * @param maxBlocks largest number of thread blocks of a collective, each of which holds a
 *     multiprocessor; 0 leaves it to the library
 */
public record NcclOptions(
    Axis axis, Duration openTimeout, Duration runTimeout, Duration closeTimeout, int maxBlocks) {
  public NcclOptions {
    positive("openTimeout", openTimeout);
    positive("runTimeout", runTimeout);
    positive("closeTimeout", closeTimeout);
    if (maxBlocks < 0) {
      throw new IllegalArgumentException("maxBlocks: expected 0 or more, found " + maxBlocks);
    }
  }

  /** A minute to connect, five minutes for a run, ten seconds to close. */
  public static NcclOptions of(Axis axis) {
    return new NcclOptions(
        axis, Duration.ofMinutes(1), Duration.ofMinutes(5), Duration.ofSeconds(10), 0);
  }

  /** The same with other time-outs. */
  public NcclOptions withTimeouts(Duration open, Duration run, Duration close) {
    return new NcclOptions(axis, open, run, close, maxBlocks);
  }

  /** The same with so few thread blocks at most. */
  public NcclOptions withMaxBlocks(int most) {
    return new NcclOptions(axis, openTimeout, runTimeout, closeTimeout, most);
  }

  private static void positive(String name, Duration value) {
    if (value.isNegative() || value.isZero()) {
      throw new IllegalArgumentException(name + ": expected more than 0, found " + value);
    }
  }
}
