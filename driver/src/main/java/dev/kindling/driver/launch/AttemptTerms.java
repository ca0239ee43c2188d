package dev.kindling.driver.launch;

/**
 * What stays the same over the attempts of a run.
 *
 * @param configYaml the resolved configuration
 * @param runDir run folder, reachable by every rank
 * @param dataDir prepared token shards, reachable by every rank
 * @param bindAddress interface for the ranks' own sockets, empty = loopback
 * @param ranks number of ranks
 * @param firstAttempt number of the next attempt, above every attempt of the run folder
 */
public record AttemptTerms(
    String configYaml,
    String runDir,
    String dataDir,
    String bindAddress,
    int ranks,
    int firstAttempt) {
  public AttemptTerms {
    if (ranks < 1 || firstAttempt < 1) {
      throw new IllegalArgumentException(
          "ranks and firstAttempt: expected >= 1, found " + ranks + ", " + firstAttempt);
    }
  }
}
