package dev.kindling.worker.plan;

import dev.kindling.kernels.graph.Expectation;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;

/**
 * What the driver does about workers that hang or are lost.
 *
 * @param hangTimeout how long a rank may make no progress before the attempt is ended and tried
 *     again; a shorter pause is logged only. Steps that take long by themselves get three times
 *     their 99th percentile
 * @param minRanks fewest ranks with which a run goes on when slots are lost and do not come back;
 *     absent: all of them, in exact mode 1, because there fewer ranks give the same bits
 * @param hostFailures failures within an hour after which a host gets no more ranks as long as
 *     Spark has others, 0 = it always does
 */
public record RecoverySpec(Duration hangTimeout, Optional<Integer> minRanks, int hostFailures) {
  static final RecoverySpec DEFAULT = new RecoverySpec(Duration.ofSeconds(60), Optional.empty(), 2);

  public RecoverySpec {
    new Expectation()
        .that(
            !hangTimeout.isZero() && !hangTimeout.isNegative(),
            "hang_timeout",
            "more than 0s",
            hangTimeout.toMillis() + "ms")
        .atLeast("min_ranks", minRanks.orElse(1), 1)
        .atLeast("host_failures", hostFailures, 0)
        .orThrow();
  }

  public static Map<String, Object> defaults() {
    return Map.of("hangTimeout", DEFAULT.hangTimeout(), "hostFailures", DEFAULT.hostFailures());
  }

  void check(int ranks, Expectation errors) {
    int least = minRanks.orElse(1);
    errors.that(least <= ranks, "recovery.min_ranks", "at most ranks " + ranks, least);
  }

  /** Fewest ranks with which a run of so many may go on. */
  public int fewest(int ranks, Determinism determinism) {
    return minRanks.orElse(determinism == Determinism.EXACT ? 1 : ranks);
  }
}
