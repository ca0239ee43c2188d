package dev.kindling.comm;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Ranks in JVMs of their own, and one of them killed. */
class ProcessTest {
  private static final int RANKS = 3;

  @TempDir Path folder;

  private List<Process> start(World world, String what) throws IOException {
    var processes = new ArrayList<Process>();
    for (int rank = 0; rank < RANKS; rank++) {
      var command =
          List.of(
              Path.of(System.getProperty("java.home"), "bin", "java").toString(),
              "-Xmx256m",
              "-XX:TieredStopAtLevel=1",
              "-cp",
              System.getProperty("java.class.path"),
              ProcessRank.class.getName(),
              folder.toString(),
              world.name(),
              Integer.toString(rank),
              Integer.toString(RANKS),
              what);
      processes.add(
          new ProcessBuilder(command)
              .redirectErrorStream(true)
              .redirectOutput(folder.resolve("log-" + rank).toFile())
              .start());
    }
    return processes;
  }

  private String ending(Process process, int rank) throws Exception {
    boolean ended = process.waitFor(2, TimeUnit.MINUTES);
    Path outcome = folder.resolve("rank-" + rank);
    assertThat(ended && Files.exists(outcome))
        .as(
            "rank %d ended: %s, log: %s",
            rank, ended, Files.readString(folder.resolve("log-" + rank)))
        .isTrue();
    return Files.readString(outcome);
  }

  private static void end(List<Process> processes) throws InterruptedException {
    for (Process process : processes) {
      process.destroyForcibly();
      process.waitFor();
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"RING", "RING_TREE", "SOCKET"})
  void sumsAreThoseOfThreads(World world) throws Exception {
    List<String> expected = Collections.synchronizedList(new ArrayList<>());
    world.runAll(RANKS, communicator -> expected.add(ProcessRank.sums(communicator)));
    List<Process> processes = start(world, "sum");
    try {
      for (int rank = 0; rank < RANKS; rank++) {
        assertThat(ending(processes.get(rank), rank)).isEqualTo(expected.get(0));
      }
    } finally {
      end(processes);
    }
  }

  /** The peers' time-out is half an hour: that they end says that they were told. */
  @ParameterizedTest
  @EnumSource(names = {"RING", "RING_TREE", "SOCKET"})
  void killedRankFailsTheOthers(World world) throws Exception {
    List<Process> processes = start(world, "forever");
    try {
      Path going = folder.resolve("going-1");
      while (!Files.exists(going)) {
        assertThat(processes.get(1).isAlive()).as("rank 1 before it summed").isTrue();
        Thread.sleep(20);
      }
      Thread.sleep(200);
      processes.get(1).destroyForcibly();
      for (int rank : List.of(0, 2)) {
        assertThat(ending(processes.get(rank), rank))
            .startsWith("failed ")
            .contains("allReduce", "ranks [");
      }
      assertThat(processes.get(1).waitFor()).isNotZero();
      assertThat(folder.resolve("rank-1")).doesNotExist();
    } finally {
      end(processes);
    }
  }

  /** Nobody talks: the end of the process is the only news. */
  @Test
  void killedRankIsNoticedBySilentPeers() throws Exception {
    List<Process> processes = start(World.RING, "watch");
    try {
      for (int rank = 0; rank < RANKS; rank++) {
        while (!Files.exists(folder.resolve("going-" + rank))) {
          assertThat(processes.get(rank).isAlive()).as("rank %d", rank).isTrue();
          Thread.sleep(20);
        }
      }
      processes.get(1).destroyForcibly();
      for (int rank : List.of(0, 2)) {
        assertThat(ending(processes.get(rank), rank)).isEqualTo("lost the connection to ranks [1]");
      }
    } finally {
      end(processes);
    }
  }
}
