package dev.kindling.optim.outer;

/** How much of its own fresh displacement a replica applies before the others' has arrived. */
public enum OwnShare {
  /** Nothing: replicas stay equal. */
  NONE,
  /** What its displacement weighs in the mean. */
  ONE_REPLICA,
  /** All, as an estimate of the mean. */
  ALL;

  double of(int replicas) {
    return switch (this) {
      case NONE -> 0;
      case ONE_REPLICA -> 1.0 / replicas;
      case ALL -> 1;
    };
  }
}
