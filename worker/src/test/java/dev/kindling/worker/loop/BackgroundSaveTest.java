package dev.kindling.worker.loop;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.kernels.backend.Communicator;
import dev.kindling.worker.checkpoint.CheckpointException;
import dev.kindling.worker.checkpoint.TrainState;
import dev.kindling.worker.event.LogLine;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Saves beside the steps, on disks that hang, fill up and come back. */
class BackgroundSaveTest {
  private static final Duration PATIENCE = Duration.ofMillis(300);
  private static final long GENEROUS_NANOS = Duration.ofMinutes(2).toNanos();

  @TempDir private Path folder;

  private static void await(String what, BooleanSupplier condition) throws InterruptedException {
    long start = System.nanoTime();
    while (!condition.getAsBoolean()) {
      assertThat(System.nanoTime() - start).as(what).isLessThan(GENEROUS_NANOS);
      Thread.sleep(5);
    }
  }

  private static void awaitSaves(SavingRanks ranks, int count) throws InterruptedException {
    await(count + " ends of saves", () -> ranks.rank(0).saves().size() == count);
    // The event comes before the thread ends.
    await("threads", () -> threads("save-rank-").isEmpty());
  }

  private static List<String> threads(String prefix) {
    return Thread.getAllStackTraces().keySet().stream()
        .map(Thread::getName)
        .filter(name -> name.matches(prefix + "[01]"))
        .toList();
  }

  private static void assertRestores(SavingRanks ranks, long step, List<float[]> weights)
      throws Exception {
    for (Optional<TrainState> state : ranks.restore()) {
      assertThat(state.orElseThrow().step()).isEqualTo(step);
    }
    List<float[]> found = ranks.rank(0).weights();
    for (int i = 0; i < weights.size(); i++) {
      assertThat(found.get(i)).isEqualTo(weights.get(i));
    }
  }

  /** Steps that go on while it is written must not show in it: the bug of DCP's async_save. */
  @ParameterizedTest
  @ValueSource(ints = {0, 3})
  void whatIsWrittenIsTheMomentOfTheSave(int zero) throws Exception {
    CountDownLatch release = new CountDownLatch(1);
    try (SavingRanks ranks = new SavingRanks(folder, zero)) {
      ranks.saveBeside();
      ranks.all().forEach(rank -> rank.fill(3f));
      List<float[]> weights = ranks.rank(0).weights();
      ranks.trouble(0, SavingRanks.hangs("", release));
      assertThat(ranks.save(1, false)).containsOnly(Optional.empty());
      ranks.all().forEach(rank -> rank.fill(-1f));
      release.countDown();
      awaitSaves(ranks, 1);
      assertThat(ranks.rank(0).saves().get(0).failure()).isEmpty();
      assertRestores(ranks, 1, weights);
    } finally {
      release.countDown();
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 3})
  void aSaveThatIsDueMeanwhileIsLeftOutAndTheLastWaits(int zero) throws Exception {
    CountDownLatch release = new CountDownLatch(1);
    try (SavingRanks ranks = new SavingRanks(folder, zero)) {
      ranks.saveBeside();
      ranks.trouble(1, SavingRanks.hangs("/opt-", release));
      assertThat(ranks.save(1, false)).containsOnly(Optional.empty());
      assertThat(ranks.save(2, false)).containsOnly(Optional.empty());
      assertThat(ranks.save(3, false)).containsOnly(Optional.empty());
      assertThat(ranks.rank(0).events)
          .singleElement()
          .isInstanceOfSatisfying(
              LogLine.class,
              line -> assertThat(line.text()).contains("step 2").contains("left out"));
      Thread later = new Thread(release::countDown);
      later.start();
      assertThat(ranks.save(4, true)).containsOnly(Optional.empty());
      later.join();
      assertThat(ranks.rank(0).saves()).extracting("step").containsExactly(1L, 4L);
      assertThat(ranks.rank(0).saves()).allMatch(saved -> saved.failure().isEmpty());
    } finally {
      release.countDown();
    }
  }

  /** Where it hangs: the parts of a rank, the files of rank 0 alone, the commit. */
  @ParameterizedTest
  @CsvSource({"0,1,/opt-", "3,1,/model-", "0,0,state.json", "3,0,commits/", "0,0,/model-"})
  void aStorageThatHangsCostsTheSaveAndNothingElse(int zero, int rank, String file)
      throws Exception {
    CountDownLatch release = new CountDownLatch(1);
    try (SavingRanks ranks = new SavingRanks(folder, zero, PATIENCE)) {
      ranks.saveBeside();
      ranks.all().forEach(each -> each.fill(3f));
      List<float[]> weights = ranks.rank(0).weights();
      assertThat(ranks.save(1, false)).containsOnly(Optional.empty());
      awaitSaves(ranks, 1);
      ranks.trouble(rank, SavingRanks.hangs(file, release));
      assertThat(ranks.save(2, false)).containsOnly(Optional.empty());
      awaitSaves(ranks, 2);
      assertThat(ranks.rank(0).saves().get(1).failure()).contains("no answer for");
      // Its threads wait still: others would only join them.
      assertThat(ranks.save(3, false)).containsOnly(Optional.empty());
      awaitSaves(ranks, 3);
      assertThat(ranks.rank(0).saves().get(2).failure()).contains("has not ended");
      assertRestores(ranks, 1, weights);
      release.countDown();
      await(
          "a storage that answers again",
          () -> {
            try {
              ranks.save(4, false);
              await("its end", () -> threads("save-rank-").isEmpty());
            } catch (Exception failed) {
              throw new IllegalStateException(failed);
            }
            return ranks.rank(0).saves().get(ranks.rank(0).saves().size() - 1).failure().isEmpty();
          });
      assertRestores(ranks, 4, weights);
      assertThat(ranks.save(5, true)).containsOnly(Optional.empty());
    } finally {
      release.countDown();
    }
  }

  /** Who asks why a save failed must not wait for an answer either. */
  @ParameterizedTest
  @ValueSource(ints = {0, 1})
  void aStorageThatAnswersNothingIsToldOfWhileItDoesNot(int rank) throws Exception {
    CountDownLatch release = new CountDownLatch(1);
    try (SavingRanks ranks = new SavingRanks(folder, 0, PATIENCE)) {
      ranks.saveBeside();
      ranks.all().forEach(each -> each.fill(3f));
      ranks.trouble(rank, SavingRanks.silent(release));
      assertThat(ranks.save(1, false)).containsOnly(Optional.empty());
      awaitSaves(ranks, 1);
      assertThat(ranks.rank(0).saves().get(0).failure()).contains("no answer for");
    } finally {
      release.countDown();
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 3})
  void aFullDiskIsAnEventAndNoRankLeavesAFile(int zero) throws Exception {
    try (SavingRanks ranks = new SavingRanks(folder, zero)) {
      ranks.saveBeside();
      assertThat(ranks.save(1, false)).containsOnly(Optional.empty());
      awaitSaves(ranks, 1);
      List<Path> committed = ranks.parts();
      ranks.trouble(1, SavingRanks.full("/opt-"));
      assertThat(ranks.save(2, false)).containsOnly(Optional.empty());
      awaitSaves(ranks, 2);
      assertThat(ranks.rank(0).saves().get(1).failure()).contains("opt-").contains("no space left");
      assertThat(ranks.parts()).isEqualTo(committed).isNotEmpty();
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aNewerEpochEndsEveryRankAtTheSaveAfter(boolean last) throws Exception {
    try (SavingRanks ranks = new SavingRanks(folder, 0)) {
      ranks.saveBeside();
      ranks.claimEpoch();
      assertThat(ranks.save(1, false)).containsOnly(Optional.empty());
      awaitSaves(ranks, 1);
      for (Optional<Throwable> thrown : ranks.save(2, last)) {
        assertThat(thrown.orElseThrow())
            .isInstanceOf(CheckpointException.class)
            .hasMessageContaining("fenced: this run holds epoch 1");
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 3})
  void aRollbackWaitsForTheSaveThatItTakesBack(int zero) throws Exception {
    CountDownLatch release = new CountDownLatch(1);
    try (SavingRanks ranks = new SavingRanks(folder, zero)) {
      ranks.saveBeside();
      ranks.all().forEach(rank -> rank.fill(3f));
      List<float[]> weights = ranks.rank(0).weights();
      assertThat(ranks.save(1, true)).containsOnly(Optional.empty());
      ranks.all().forEach(rank -> rank.fill(5f));
      ranks.trouble(0, SavingRanks.hangs("/opt-", release));
      assertThat(ranks.save(2, false)).containsOnly(Optional.empty());
      Thread later = new Thread(release::countDown);
      later.start();
      for (Optional<TrainState> state : ranks.rollBack(2)) {
        assertThat(state.orElseThrow().step()).isEqualTo(1);
      }
      later.join();
      assertRestores(ranks, 1, weights);
    } finally {
      release.countDown();
    }
  }

  /** A rank that is lost to the savers is not lost to the steps. */
  @ParameterizedTest
  @ValueSource(ints = {0, 3})
  void saversThatLoseEachOtherLeaveSavingToTheSteps(int zero) throws Exception {
    try (SavingRanks ranks = new SavingRanks(folder, zero)) {
      List<Communicator> beside = ranks.saveBeside();
      ranks.all().forEach(rank -> rank.fill(3f));
      List<float[]> weights = ranks.rank(0).weights();
      beside.get(1).close();
      assertThat(ranks.save(1, false)).containsOnly(Optional.empty());
      await("threads", () -> threads("save-rank-").isEmpty());
      assertThat(ranks.save(2, false)).containsOnly(Optional.empty());
      assertThat(ranks.rank(0).saves()).extracting("step").containsExactly(2L);
      assertThat(ranks.rank(0).events)
          .filteredOn(LogLine.class::isInstance)
          .singleElement()
          .isInstanceOfSatisfying(
              LogLine.class,
              line -> assertThat(line.text()).startsWith("checkpoints stop the steps"));
      assertRestores(ranks, 2, weights);
    }
  }
}
