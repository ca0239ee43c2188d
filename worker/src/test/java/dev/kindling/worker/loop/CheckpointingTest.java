package dev.kindling.worker.loop;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.worker.checkpoint.CheckpointException;
import dev.kindling.worker.checkpoint.TrainState;
import dev.kindling.worker.event.CheckpointSaved;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Saves for which the steps wait; only the disk of rank 1 is ever full. */
class CheckpointingTest {
  @TempDir private Path folder;

  @ParameterizedTest
  @ValueSource(ints = {0, 3})
  void aNewerEpochEndsEveryRankAtItsNextSave(int zero) throws Exception {
    try (SavingRanks ranks = new SavingRanks(folder, zero)) {
      assertThat(ranks.restore()).containsOnly(Optional.empty());
      ranks.claimEpoch();
      for (Optional<Throwable> thrown : ranks.save(1, false)) {
        assertThat(thrown.orElseThrow())
            .isInstanceOf(CheckpointException.class)
            .hasMessageContaining(
                "fenced: this run holds epoch 1, a newer start of it took epoch 2");
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 3})
  void aFailedSaveIsAnEventAndTheLastOneThrowsOnEveryRank(int zero) throws Exception {
    try (SavingRanks ranks = new SavingRanks(folder, zero)) {
      assertThat(ranks.restore()).containsOnly(Optional.empty());
      ranks.trouble(1, SavingRanks.full(""));
      assertThat(ranks.save(1, false)).containsOnly(Optional.empty());
      assertThat(ranks.all()).allMatch(rank -> rank.checkpoints.lastCommit().isEmpty());
      assertThat(ranks.rank(1).events).isEmpty();
      assertThat(ranks.rank(0).events)
          .singleElement()
          .isInstanceOfSatisfying(
              CheckpointSaved.class,
              saved -> {
                assertThat(saved.step()).isEqualTo(1);
                assertThat(saved.name()).isEmpty();
                assertThat(saved.failure()).contains("rank 1").contains("no space left");
              });
      for (Optional<Throwable> thrown : ranks.save(2, true)) {
        assertThat(thrown.orElseThrow())
            .isInstanceOf(CheckpointException.class)
            .hasMessageContaining("the last checkpoint could not be saved")
            .hasMessageContaining("no space left");
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 3})
  void afterAFailedSaveTheNextOneCommitsAndRestoresEveryBit(int zero) throws Exception {
    try (SavingRanks ranks = new SavingRanks(folder, zero)) {
      ranks.all().forEach(rank -> rank.fill(3f));
      ranks.trouble(1, SavingRanks.full(""));
      ranks.save(1, false);
      ranks.trouble(1, file -> {});
      assertThat(ranks.save(2, true)).containsOnly(Optional.empty());
      String commit = ranks.rank(0).checkpoints.lastCommit();
      assertThat(commit).isNotEmpty();
      assertThat(ranks.rank(1).checkpoints.lastCommit()).isEqualTo(commit);
      List<float[]> weights = ranks.rank(0).weights();
      ranks.all().forEach(rank -> rank.fill(-1f));
      for (Optional<TrainState> state : ranks.restore()) {
        assertThat(state.orElseThrow().step()).isEqualTo(2);
        assertThat(state.orElseThrow().tokens()).isEqualTo(256);
      }
      for (SavingRanks.Rank rank : ranks.all()) {
        List<float[]> found = rank.weights();
        for (int i = 0; i < weights.size(); i++) {
          assertThat(found.get(i)).isEqualTo(weights.get(i));
        }
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 3})
  void afterAFailedSaveNoRankLeavesAFile(int zero) throws Exception {
    try (SavingRanks ranks = new SavingRanks(folder, zero)) {
      ranks.all().forEach(rank -> rank.fill(3f));
      assertThat(ranks.save(1, true)).containsOnly(Optional.empty());
      List<Path> committed = ranks.parts();
      // Rank 1 has written its weights by then, rank 0 everything.
      ranks.trouble(1, SavingRanks.full("/opt-"));
      assertThat(ranks.save(2, false)).containsOnly(Optional.empty());
      assertThat(ranks.rank(0).saves().get(1).failure()).contains("opt-");
      assertThat(ranks.parts()).isEqualTo(committed).isNotEmpty();
      for (Optional<TrainState> state : ranks.restore()) {
        assertThat(state.orElseThrow().step()).isEqualTo(1);
      }
    }
  }
}
