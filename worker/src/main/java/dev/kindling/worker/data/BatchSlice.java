package dev.kindling.worker.data;

/**
 * Which sequences of each global batch a rank reads, all counts in sequences. Sequence {@code j} of
 * the batch of step {@code n} is place {@code n * globalSequences + j} of the run; a rank takes a
 * contiguous block, which is also its block of logical shards, so the union over ranks is the batch
 * for every world size.
 *
 * @param microSequences of one micro step of this rank
 */
public record BatchSlice(int rank, int worldSize, int globalSequences, int microSequences) {
  public BatchSlice {
    if (worldSize < 1
        || rank < 0
        || rank >= worldSize
        || microSequences < 1
        || globalSequences < 1
        || globalSequences % (worldSize * (long) microSequences) != 0) {
      throw new IllegalArgumentException(
          "globalSequences: expected a multiple of worldSize x microSequences ("
              + worldSize
              + " x "
              + microSequences
              + "), found "
              + globalSequences
              + " for rank "
              + rank);
    }
  }

  /** Micro steps of a rank in each step. */
  public int microSteps() {
    return globalSequences / worldSize / microSequences;
  }

  /** Place in the run of sequence {@code k} of a micro batch. */
  public long position(long step, int microStep, int k) {
    long block = globalSequences / worldSize;
    return step * globalSequences + rank * block + (long) microStep * microSequences + k;
  }
}
