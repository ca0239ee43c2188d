package dev.kindling.benchmarks;

import dev.kindling.comm.nccl.NcclCommunicator;
import dev.kindling.comm.nccl.NcclOptions;
import dev.kindling.comm.rendezvous.CommunicatorRendezvous;
import dev.kindling.comm.rendezvous.FileRendezvous;
import dev.kindling.comm.ring.JobSecret;
import dev.kindling.comm.ring.PeerWatch;
import dev.kindling.comm.ring.RingCommunicator;
import dev.kindling.comm.ring.RingOptions;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.cuda.CudaBackend;
import dev.kindling.kernels.graph.Axis;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/** One rank of {@link GpuMezoRanksBench}: folder, rank, ranks, model, micro, sequence, steps. */
final class GpuMezoRank {
  private static final Duration MEETING = Duration.ofSeconds(120);
  private static final Duration SILENCE = Duration.ofSeconds(60);
  private static final int WARMUP = 3;
  private static final Path COUNTERS = Path.of("/proc/net/dev");

  private GpuMezoRank() {}

  /** Prints one line {@code FIGURES seconds projected connect bytes} of the whole measurement. */
  public static void main(String[] arguments) throws Exception {
    Path folder = Path.of(arguments[0]);
    int rank = Integer.parseInt(arguments[1]);
    int ranks = Integer.parseInt(arguments[2]);
    MezoShape shape = MezoShape.named(arguments[3]);
    int micro = Integer.parseInt(arguments[4]);
    int sequence = Integer.parseInt(arguments[5]);
    int steps = Integer.parseInt(arguments[6]);
    CudaBackend backend = GpuMezo.backend(rank);
    long start = System.nanoTime();
    Communicator data = connect(folder, rank, ranks, backend);
    double connect = (System.nanoTime() - start) / 1e9;
    try (GpuMezo mezo = GpuMezo.of(shape, micro, sequence, backend, data)) {
      for (int i = 0; i < WARMUP; i++) {
        mezo.submit();
        mezo.loss(0);
      }
      long before = loopbackBytes(Files.readAllLines(COUNTERS));
      double[] seconds = GpuMezoBench.seconds(mezo, steps);
      long bytes = loopbackBytes(Files.readAllLines(COUNTERS)) - before;
      System.out.printf(
          Locale.ROOT,
          "FIGURES %.9f %.9g %.3f %d%n",
          Arrays.stream(seconds).sum(),
          mezo.projected(),
          connect,
          bytes);
    }
  }

  private static Communicator connect(Path folder, int rank, int ranks, CudaBackend backend)
      throws IOException {
    var rendezvous = new FileRendezvous(folder, rank, ranks, MEETING);
    // The secret of a benchmark on one machine guards nothing; it makes the handshake real.
    RingOptions options =
        RingOptions.of(JobSecret.of(new byte[32]), folder.toString(), 0, "127.0.0.1")
            .withTimeouts(MEETING, SILENCE);
    RingCommunicator ring = RingCommunicator.open(options, rendezvous);
    if (ranks == 1) {
      return ring;
    }
    PeerWatch peers = PeerWatch.open(options, new CommunicatorRendezvous(ring));
    backend.makeCurrent();
    NcclOptions patience =
        NcclOptions.of(Axis.DATA).withTimeouts(MEETING, SILENCE, Duration.ofSeconds(10));
    return NcclCommunicator.open(patience, ring, peers);
  }

  /**
   * What the loopback has sent since the machine began, by everybody on it.
   *
   * @param lines of /proc/net/dev: after the colon eight figures of what was received, then bytes
   *     sent
   */
  static long loopbackBytes(List<String> lines) {
    for (String line : lines) {
      int colon = line.indexOf(':');
      if (colon > 0 && line.substring(0, colon).strip().equals("lo")) {
        return Long.parseLong(line.substring(colon + 1).strip().split("\\s+", -1)[8]);
      }
    }
    throw new IllegalStateException(COUNTERS + ": expected a line of lo, found " + lines);
  }
}
