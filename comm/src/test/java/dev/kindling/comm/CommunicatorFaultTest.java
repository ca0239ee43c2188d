package dev.kindling.comm;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.comm.rendezvous.FingerprintCheck;
import dev.kindling.comm.ring.RingCommunicator;
import dev.kindling.kernels.backend.CollectiveException;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.Reduction;
import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.memory.Span;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * What every communicator does when something goes wrong: an error that says what, never a hang.
 */
class CommunicatorFaultTest {
  private static void allReduce(Communicator communicator, int elements) {
    try (Span data = Span.allocate(elements * 4L)) {
      communicator.allReduce(data, DType.F32, Reduction.SUM);
    }
  }

  private static String message(World.Ending ending) {
    assertThat(ending.failure()).isInstanceOf(CollectiveException.class);
    return String.valueOf(java.util.Objects.requireNonNull(ending.failure()).getMessage());
  }

  @ParameterizedTest
  @EnumSource
  void differentSizesAreNamedOnBothSides(World world) {
    for (int[] sizes : new int[][] {{100, 104}, {100, 200_000}, {200_000, 300_000}, {0, 1}}) {
      var endings = world.run(2, World.PATIENT, c -> allReduce(c, sizes[c.rank()]));
      for (World.Ending ending : endings) {
        assertThat(message(ending))
            .contains(
                "disagree", "rank 0", "rank 1", sizes[0] * 4 + " bytes", sizes[1] * 4 + " bytes");
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void oneDifferentRankFailsAll(World world) {
    for (int elements : new int[] {100, 200_000}) {
      var endings =
          world.run(5, World.PATIENT, c -> allReduce(c, elements + (c.rank() == 3 ? 16 : 0)));
      assertThat(endings).allSatisfy(ending -> message(ending));
      assertThat(endings.stream().map(CommunicatorFaultTest::message))
          .anyMatch(text -> text.contains("disagree") && text.contains("rank 3"));
    }
  }

  @ParameterizedTest
  @EnumSource
  void differentOrderOfOperationsIsNamed(World world) {
    var endings =
        world.run(
            2,
            World.PATIENT,
            c -> {
              allReduce(c, 10);
              try (Span data = Span.allocate(40)) {
                if (c.rank() == 0) {
                  c.broadcast(data, 0);
                } else {
                  c.allReduce(data, DType.F32, Reduction.SUM);
                }
              }
            });
    for (World.Ending ending : endings) {
      assertThat(message(ending)).contains("disagree", "broadcast", "allReduce");
    }
  }

  @ParameterizedTest
  @EnumSource
  void differentReductionIsNamed(World world) {
    var endings =
        world.run(
            2,
            World.PATIENT,
            c -> {
              try (Span data = Span.allocate(40)) {
                c.allReduce(data, DType.F32, c.rank() == 0 ? Reduction.SUM : Reduction.MAX);
              }
            });
    for (World.Ending ending : endings) {
      assertThat(message(ending)).contains("SUM", "MAX");
    }
  }

  @ParameterizedTest
  @EnumSource
  void absentRankEndsTheOthersByTimeout(World world) {
    var done = new java.util.concurrent.CountDownLatch(2);
    var endings =
        world.run(
            3,
            Duration.ofMillis(400),
            c -> {
              if (c.rank() == 2) {
                done.await();
                return;
              }
              try {
                allReduce(c, 5000);
              } finally {
                done.countDown();
              }
            });
    assertThat(message(endings.get(0)) + message(endings.get(1)))
        .containsPattern("ranks \\[([01], )?2]");
    assertThat(endings.get(2).failure()).isNull();
  }

  @ParameterizedTest
  @EnumSource
  void slowRankIsNoFailure(World world) {
    world.runAll(
        3,
        c -> {
          for (int i = 0; i < 5; i++) {
            Thread.sleep(c.rank() == i % 3 ? 80 : 0);
            allReduce(c, 30_000);
          }
        });
  }

  @ParameterizedTest
  @EnumSource
  void rankThatLeavesFailsTheOthersAtOnce(World world) {
    for (int elements : new int[] {100, 200_000}) {
      var endings =
          world.run(
              4,
              World.PATIENT,
              c -> {
                allReduce(c, elements);
                if (c.rank() != 2) {
                  allReduce(c, elements);
                }
              });
      assertThat(endings.get(2).failure()).isNull();
      for (int rank : List.of(0, 1, 3)) {
        assertThat(message(endings.get(rank))).isNotEmpty();
      }
    }
  }

  /** Rank 1 dies after it has sent some share of a large message, from none to nearly all. */
  @ParameterizedTest
  @EnumSource(names = "LOOPBACK", mode = EnumSource.Mode.EXCLUDE)
  void deathInEveryPhaseFailsTheOthers(World world) {
    int elements = 2 << 20;
    for (double share : new double[] {0, 0.05, 0.4, 0.7, 0.95}) {
      long limit = (long) (share * elements * 4 * 4 / 3);
      var endings =
          world.run(
              3,
              World.PATIENT,
              c -> {
                if (c.rank() == 1) {
                  var watcher = new Thread(() -> abortAfter((RingCommunicator) c, limit));
                  watcher.start();
                  try {
                    while (true) {
                      allReduce(c, elements);
                    }
                  } finally {
                    watcher.join();
                  }
                }
                while (true) {
                  allReduce(c, elements);
                }
              });
      assertThat(endings).allSatisfy(ending -> message(ending));
    }
  }

  private static void abortAfter(RingCommunicator communicator, long bytes) {
    while (communicator.bytesSent() < bytes) {
      Thread.onSpinWait();
    }
    communicator.abort();
  }

  @ParameterizedTest
  @EnumSource
  void nothingWorksAfterAFailure(World world) {
    var endings =
        world.run(
            2,
            World.PATIENT,
            c -> {
              try {
                allReduce(c, 10 + c.rank());
              } catch (CollectiveException expected) {
                allReduce(c, 10);
              }
            });
    for (World.Ending ending : endings) {
      assertThat(message(ending)).contains("disagree");
    }
  }

  @ParameterizedTest
  @EnumSource
  void fingerprintsAreCompared(World world) {
    world.runAll(4, c -> FingerprintCheck.check(c, "allReduce DATA 100\nallReduce DATA 4"));
    var endings =
        world.run(
            4,
            World.PATIENT,
            c ->
                FingerprintCheck.check(
                    c, c.rank() == 2 ? "allReduce DATA 100\nbroadcast" : "allReduce DATA 100"));
    for (World.Ending ending : endings) {
      assertThat(message(ending))
          .contains("line 2", "ranks [0, 1, 3]", "ranks [2]", "\"broadcast\"");
    }
  }
}
