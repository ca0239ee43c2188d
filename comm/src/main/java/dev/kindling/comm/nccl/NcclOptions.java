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
 */
public record NcclOptions(
    Axis axis, Duration openTimeout, Duration runTimeout, Duration closeTimeout) {
  public NcclOptions {
    positive("openTimeout", openTimeout);
    positive("runTimeout", runTimeout);
    positive("closeTimeout", closeTimeout);
  }

  /** A minute to connect, five minutes for a run, ten seconds to close. */
  public static NcclOptions of(Axis axis) {
    return new NcclOptions(
        axis, Duration.ofMinutes(1), Duration.ofMinutes(5), Duration.ofSeconds(10));
  }

  /** The same with other time-outs. */
  public NcclOptions withTimeouts(Duration open, Duration run, Duration close) {
    return new NcclOptions(axis, open, run, close);
  }

  private static void positive(String name, Duration value) {
    if (value.isNegative() || value.isZero()) {
      throw new IllegalArgumentException(name + ": expected more than 0, found " + value);
    }
  }
}
