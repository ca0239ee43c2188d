package dev.kindling.worker.checkpoint;

import java.util.List;

/**
 * Which parts of a generation a rank writes. Files are numbered over all ranks, so that a rank
 * knows its names only with the number of parts of every other.
 *
 * @param counts by rank, the number of parts, at least one
 */
public record RankParts(PartKind kind, int rank, List<Integer> counts) {
  public RankParts {
    counts = List.copyOf(counts);
    if (rank < 0 || rank >= counts.size() || counts.stream().anyMatch(count -> count < 1)) {
      throw new IllegalArgumentException(
          "rank " + rank + ": expected a part or more of each rank, found " + counts);
    }
  }

  int worldSize() {
    return counts.size();
  }

  int count() {
    return counts.get(rank);
  }

  /** Name of this rank's part of an index from 0. */
  String file(int index) {
    int before = counts.subList(0, rank).stream().mapToInt(count -> count).sum();
    int all = counts.stream().mapToInt(count -> count).sum();
    return Layout.partFile(kind, before + index + 1, all);
  }
}
