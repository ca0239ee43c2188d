package dev.kindling.worker.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * An older driver that goes on saving while a newer one takes its run over, at any moment. Also
 * what a worker does that wakes up after it was replaced.
 */
class TwoDriversTest {
  private static final long NEW_STEP = 100;

  @TempDir private Path folder;
  private final Random random = new Random(Long.getLong("seed", 11));

  @Test
  void theOlderOneStopsAndNoCommitIsMixed() throws Exception {
    takeOver(40);
  }

  @Tag("long")
  @RepeatedTest(2)
  void theOlderOneStopsAndNoCommitIsMixedEver() throws Exception {
    takeOver(500);
  }

  private void takeOver(int trials) throws Exception {
    ExecutorService drivers = Executors.newFixedThreadPool(2);
    try {
      for (int trial = 0; trial < trials; trial++) {
        Path root = folder.resolve("trial-" + trial);
        CheckpointStore old = TinyRun.open(root);
        long oldEpoch = old.claimEpoch();
        TinyRun.save(old, oldEpoch, 1, 1);
        long delayMicros = random.nextInt(30_000);
        Future<String> refusal = drivers.submit(() -> goOn(old, oldEpoch));
        Future<Long> claim =
            drivers.submit(
                () -> {
                  TimeUnit.MICROSECONDS.sleep(delayMicros);
                  CheckpointStore fresh = TinyRun.open(root);
                  long epoch = fresh.claimEpoch();
                  TinyRun.save(fresh, epoch, NEW_STEP, 2);
                  return epoch;
                });
        long newEpoch = claim.get();
        String text = refusal.get();
        assertThat(text)
            .as("trial %d", trial)
            .contains("fenced: this run holds epoch " + oldEpoch, "took epoch " + newEpoch);
        assertWhole(root, newEpoch);
      }
    } finally {
      drivers.shutdownNow();
    }
  }

  /** Saves step after step until it is refused. */
  private static String goOn(CheckpointStore old, long epoch) {
    for (long step = 2; ; step++) {
      try {
        TinyRun.save(old, epoch, step, 1);
      } catch (CheckpointException refused) {
        return String.valueOf(refused.getMessage());
      }
    }
  }

  /** Every commit that can be seen holds the bytes of its own step; the newer driver's counts. */
  private static void assertWhole(Path root, long newEpoch) {
    CheckpointStore store = TinyRun.open(root);
    List<String> refusals = new ArrayList<>();
    Generation newest = store.newestValid(refusals).orElseThrow();
    assertThat(refusals).isEmpty();
    assertThat(newest.id()).isEqualTo("e%010d-s%012d".formatted(newEpoch, NEW_STEP));
    for (String id : store.commits()) {
      Generation generation = store.generation(id);
      TinyRun.assertHolds(store, generation, generation.step());
    }
  }
}
