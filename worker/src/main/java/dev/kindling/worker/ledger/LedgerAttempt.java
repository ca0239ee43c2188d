package dev.kindling.worker.ledger;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * The steps that one attempt computed, as its rank 0 recorded them.
 *
 * @param epoch fencing epoch of the attempt
 * @param segment counts what the attempt began again after a rollback, from 0
 * @param ranks of the attempt
 * @param after step that it went on from
 * @param last step that it recorded, {@code after} if none
 */
public record LedgerAttempt(long epoch, int segment, int ranks, long after, long last) {

  /** All attempts of a run that recorded anything, the earliest first. */
  public static List<LedgerAttempt> read(Path runDir) throws IOException {
    List<LedgerAttempt> attempts = new ArrayList<>();
    for (LedgerFile file : LedgerHistory.files(runDir)) {
      LedgerHeader header = file.header();
      if (header.rank() == 0) {
        long last = header.after() + file.lines().size();
        attempts.add(
            new LedgerAttempt(
                header.epoch(), header.segment(), header.ranks(), header.after(), last));
      }
    }
    attempts.sort(
        Comparator.comparingLong(LedgerAttempt::epoch).thenComparingInt(LedgerAttempt::segment));
    return attempts;
  }

  /**
   * Steps that the newest attempt began again although an earlier one had computed them.
   *
   * @param attempts of one run, the earliest first
   */
  public static long recomputed(List<LedgerAttempt> attempts) {
    if (attempts.isEmpty()) {
      return 0;
    }
    LedgerAttempt newest = attempts.get(attempts.size() - 1);
    long before =
        attempts.stream()
            .filter(attempt -> attempt.epoch() < newest.epoch())
            .mapToLong(LedgerAttempt::last)
            .max()
            .orElse(0);
    return Math.max(0, before - newest.after());
  }
}
