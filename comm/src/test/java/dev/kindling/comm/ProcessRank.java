package dev.kindling.comm;

import dev.kindling.comm.rendezvous.CommunicatorRendezvous;
import dev.kindling.comm.rendezvous.FileRendezvous;
import dev.kindling.comm.ring.PeerWatch;
import dev.kindling.kernels.backend.CollectiveException;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.Reduction;
import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.memory.Span;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;

/**
 * One rank of {@link ProcessTest}: folder, world, rank, number of ranks, {@code sum}, {@code
 * forever} or {@code watch}. Writes what came of it to the file {@code rank-N} in the folder.
 */
final class ProcessRank {
  /** Longer than any test waits: whoever ends in time was told, not timed out. */
  private static final Duration TIMEOUT = Duration.ofMinutes(30);

  static final int[] SIZES = {1, 1000, 300_001};

  private ProcessRank() {}

  public static void main(String[] arguments) throws Exception {
    Path folder = Path.of(arguments[0]);
    World world = World.valueOf(arguments[1]);
    int rank = Integer.parseInt(arguments[2]);
    int ranks = Integer.parseInt(arguments[3]);
    String outcome;
    var rendezvous = new FileRendezvous(folder, rank, ranks, World.OPEN);
    try (Communicator communicator = world.open(rendezvous, TIMEOUT)) {
      outcome = sums(communicator);
      if (arguments[4].equals("forever")) {
        forever(communicator, folder);
      } else if (arguments[4].equals("watch")) {
        outcome = watched(communicator, folder);
      }
    } catch (CollectiveException e) {
      outcome = "failed " + e.getMessage();
    }
    Files.writeString(folder.resolve("rank-" + rank), outcome);
  }

  /** The hash of the bits of all-reduces of several sizes. */
  static String sums(Communicator communicator) {
    var text = new StringBuilder("sums");
    for (int n : SIZES) {
      float[] own = CommunicatorConformanceTest.values(n, communicator.rank(), n);
      try (Span data = CommunicatorConformanceTest.span(own)) {
        communicator.allReduce(data, DType.F32, Reduction.SUM);
        text.append(' ').append(Arrays.hashCode(data.toFloats()));
      }
    }
    return text.toString();
  }

  /** Says nothing to the peers, and hears of one that is gone. */
  private static String watched(Communicator communicator, Path folder) throws Exception {
    var rendezvous = new CommunicatorRendezvous(communicator);
    try (PeerWatch watch = PeerWatch.open(World.options(TIMEOUT), rendezvous)) {
      Files.writeString(folder.resolve("going-" + communicator.rank()), "");
      while (watch.lost().isEmpty()) {
        Thread.sleep(5);
      }
      String news = watch.lost().get();
      // The other survivor must not hear of this one first.
      Files.writeString(folder.resolve("heard-" + communicator.rank()), "");
      while (!Files.exists(folder.resolve("heard-" + (2 - communicator.rank())))) {
        Thread.sleep(5);
      }
      return news;
    }
  }

  private static void forever(Communicator communicator, Path folder) throws Exception {
    Files.writeString(folder.resolve("going-" + communicator.rank()), "");
    try (Span small = Span.allocate(4 << 10);
        Span large = Span.allocate(8 << 20)) {
      while (true) {
        communicator.allReduce(small, DType.F32, Reduction.SUM);
        communicator.allReduce(large, DType.F32, Reduction.SUM);
      }
    }
  }
}
