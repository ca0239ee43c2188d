package dev.kindling.driver.launch;

import dev.kindling.worker.event.Phase;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * Where a rank stands, as far as the driver heard. Times are milliseconds of {@link HangWatch}'s
 * clock.
 *
 * @param phase null until the rank said its first word
 * @param moves of its newest heartbeat
 * @param stepped whether it finished a step since it entered a phase with steps for the first time
 * @param heardAt when it last said anything
 * @param movedAt when it last got anything done
 */
record RankPlace(
    int rank,
    @Nullable Phase phase,
    long step,
    long moves,
    boolean stepped,
    long heardAt,
    long movedAt) {

  /** A rank whose beats are missing for so long is called silent; they come every half second. */
  static final long SILENT_MILLIS = 3_000;

  /**
   * Phases without steps (compilation, a large checkpoint) and the first step of an attempt have no
   * pace to be measured by; a rank that beats gets so many hang time-outs for them.
   */
  private static final int UNPACED = 10;

  static RankPlace unheard(int rank, long now) {
    return new RankPlace(rank, null, 0, -1, false, now, now);
  }

  RankPlace heard(long now) {
    return new RankPlace(rank, phase, step, moves, stepped, now, movedAt);
  }

  RankPlace entered(Phase next, long atStep, long now) {
    return new RankPlace(rank, next, atStep, moves, stepped, now, now);
  }

  RankPlace beat(Phase at, long done, long count, long now) {
    boolean more = stepped || (at == Phase.TRAIN && phase == Phase.TRAIN && done > step);
    long moved = count == moves ? movedAt : now;
    return new RankPlace(rank, at, done, count, more, now, moved);
  }

  boolean silent(long now) {
    return now - heardAt >= SILENT_MILLIS;
  }

  /** Finished ranks wait for nobody. */
  boolean over() {
    return phase == Phase.DONE;
  }

  private boolean paced() {
    return phase == Phase.TRAIN && stepped;
  }

  /** Whether a person should hear of it. */
  boolean stalled(long now, HangLimits limits, double p99) {
    long standing = paced() ? now - movedAt : now - heardAt;
    return !over() && standing >= limits.stallMillis(p99);
  }

  /** Whether the attempt must end. */
  boolean hung(long now, HangLimits limits, double p99) {
    if (over()) {
      return false;
    }
    if (phase != null && now - heardAt >= limits.hangMillis(0)) {
      return true;
    }
    long patience = paced() ? limits.hangMillis(p99) : UNPACED * limits.hangMillis(p99);
    return now - movedAt >= patience;
  }

  String describe(long now) {
    if (phase == null) {
      return "rank " + rank + ": not started";
    }
    String where = phase.name().toLowerCase(Locale.ROOT).replace('_', ' ');
    String life =
        silent(now)
            ? "silent for " + seconds(now - heardAt)
            : "alive, no progress for " + seconds(now - movedAt);
    return "rank %d: %s, step %d, %s".formatted(rank, where, step, life);
  }

  static String seconds(long millis) {
    return Math.round(millis / 1e3) + " s";
  }
}
