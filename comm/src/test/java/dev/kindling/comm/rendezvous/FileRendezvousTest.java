package dev.kindling.comm.rendezvous;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.kernels.backend.CollectiveException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FileRendezvousTest {
  private static final Duration LONG = Duration.ofSeconds(60);

  @TempDir Path folder;

  @Test
  void everyRankGetsAllMessagesOfEachRound() throws Exception {
    int worldSize = 4;
    ExecutorService threads = Executors.newFixedThreadPool(worldSize);
    try {
      var futures = new ArrayList<Future<List<List<String>>>>();
      for (int rank = 0; rank < worldSize; rank++) {
        var rendezvous = new FileRendezvous(folder, rank, worldSize, LONG);
        futures.add(
            threads.submit(
                () -> {
                  var rounds = new ArrayList<List<String>>();
                  for (int round = 0; round < 3; round++) {
                    Thread.sleep(rendezvous.rank() == round ? 30 : 0);
                    rounds.add(rendezvous.allGather(message(round, rendezvous.rank())));
                  }
                  return rounds;
                }));
      }
      for (Future<List<List<String>>> future : futures) {
        List<List<String>> rounds = future.get(2, TimeUnit.MINUTES);
        for (int round = 0; round < 3; round++) {
          for (int rank = 0; rank < worldSize; rank++) {
            assertThat(rounds.get(round).get(rank)).isEqualTo(message(round, rank));
          }
        }
      }
    } finally {
      threads.shutdownNow();
    }
  }

  /** Rank 0 says nothing, the others something with line ends and letters outside ASCII. */
  private static String message(int round, int rank) {
    return rank == 0 ? "" : "round " + round + "\nrank " + rank + " \u00e4\u4e2d";
  }

  @Test
  void absentRanksAreNamed() {
    var rendezvous = new FileRendezvous(folder, 1, 3, Duration.ofMillis(50));
    assertThatThrownBy(() -> rendezvous.allGather("here"))
        .isInstanceOf(CollectiveException.class)
        .hasMessageContaining("round 0")
        .hasMessageContaining("ranks [0, 2] did not come");
  }

  @Test
  void missingFolderIsNamed() {
    Path nowhere = folder.resolve("nowhere");
    var rendezvous = new FileRendezvous(nowhere, 0, 2, LONG);
    assertThatThrownBy(() -> rendezvous.allGather("here"))
        .isInstanceOf(CollectiveException.class)
        .hasMessageContaining(nowhere.toString());
  }

  @Test
  void rankOutsideTheWorldIsRefused() {
    assertThatThrownBy(() -> new FileRendezvous(folder, 2, 2, LONG))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("rank: 2 is outside 0..1");
  }
}
