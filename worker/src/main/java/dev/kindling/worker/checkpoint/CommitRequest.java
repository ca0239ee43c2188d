package dev.kindling.worker.checkpoint;

import java.util.List;

/**
 * Everything that turns written parts into a generation.
 *
 * @param generationSuffix the one that every rank passed to writeParts
 * @param parts descriptors of all ranks and kinds, in any order
 */
public record CommitRequest(
    long epoch,
    long step,
    String generationSuffix,
    int worldSize,
    List<PartDescriptor> parts,
    TrainState state,
    RunFacts facts) {
  public CommitRequest {
    parts = List.copyOf(parts);
    if (state.step() != step) {
      throw new IllegalArgumentException(
          "commit: expected state of step " + step + ", found " + state.step());
    }
  }
}
