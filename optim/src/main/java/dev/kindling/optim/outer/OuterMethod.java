package dev.kindling.optim.outer;

import java.util.List;

/**
 * How replicas that train apart for some inner steps agree again. What leaves a replica is its
 * displacement, the weights at the start of the round less those at its end; what arrives is the
 * mean of all of them.
 */
public sealed interface OuterMethod extends Sync
    permits Co2, Corrected, Diloco, EagerDiloco, LocalSgd, Slowmo {
  /** Inner steps of a round, 1 or more. */
  int tau();

  OuterStep step();

  /** What its first boundary applies, where it has a delay. */
  default FirstRound first() {
    return FirstRound.RESET;
  }

  /**
   * What is allowed but may not converge, one sentence each that names the bound.
   *
   * @param replicas at least 1
   */
  default List<String> warnings(int replicas) {
    return step().warnings(replicas);
  }
}
