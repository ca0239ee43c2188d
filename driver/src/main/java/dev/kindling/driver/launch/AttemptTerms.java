package dev.kindling.driver.launch;

import dev.kindling.worker.plan.PlanReader;
import java.time.Duration;
import java.util.Optional;

/**
 * What stays the same over the attempts of a run, unless slots are lost for good.
 *
 * @param configYaml the resolved configuration
 * @param runDir run folder, reachable by every rank
 * @param dataDir prepared token shards, reachable by every rank
 * @param bindAddress interface for the ranks' own sockets, empty = loopback
 * @param ranks number of ranks
 * @param hangTimeout how long a rank may make no progress
 * @param firstAttempt number of the next attempt, above every attempt of the run folder
 */
public record AttemptTerms(
    String configYaml,
    String runDir,
    String dataDir,
    String bindAddress,
    int ranks,
    Duration hangTimeout,
    int firstAttempt) {
  public AttemptTerms {
    if (ranks < 1 || firstAttempt < 1) {
      throw new IllegalArgumentException(
          "ranks and firstAttempt: expected >= 1, found " + ranks + ", " + firstAttempt);
    }
  }

  /** The terms of an attempt by fewer ranks, if the configuration allows that. */
  Optional<AttemptTerms> onAtMost(int slots) {
    return PlanReader.fromYaml(configYaml)
        .onAtMost(slots)
        .map(
            plan ->
                new AttemptTerms(
                    PlanReader.toYaml(plan),
                    runDir,
                    dataDir,
                    bindAddress,
                    plan.ranks(),
                    hangTimeout,
                    firstAttempt));
  }
}
