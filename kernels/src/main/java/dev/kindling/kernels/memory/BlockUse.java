package dev.kindling.kernels.memory;

import java.util.List;

/**
 * What one unit of execution does with blocks; a block is named by the id of a value in it.
 *
 * @param reads one entry per input
 * @param writes one entry per output
 * @param takeovers in order of preference
 */
public record BlockUse(List<Integer> reads, List<Integer> writes, List<Takeover> takeovers) {
  public BlockUse {
    reads = List.copyOf(reads);
    writes = List.copyOf(writes);
    takeovers = List.copyOf(takeovers);
  }

  /** Block {@code to}, written here, may be put over block {@code from} if that one dies here. */
  public record Takeover(int from, int to) {}
}
