package dev.kindling.benchmarks;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * {@code bench gpu-mezo-ranks MODEL MICRO SEQ [--ranks 1,2] [--steps N]}: distributed zeroth-order
 * steps, a process and a GPU for each rank, NCCL between them. {@code tokens} counts those of all
 * ranks, {@code link} the bytes that everything on this machine sent over its loopback, {@code
 * scaling} the rate of the last number of ranks over as many times the first's rate per rank.
 *
 * <p>To see what a slow link costs, shape the loopback and forbid the ways around it: {@code tc
 * qdisc add dev lo root tbf rate 1mbit burst 128kb latency 400ms}, {@code NCCL_P2P_DISABLE=1
 * NCCL_SHM_DISABLE=1 NCCL_SOCKET_IFNAME=lo}.
 */
final class GpuMezoRanksBench implements Benchmark {
  private static final Map<String, String> DEFAULTS = Map.of("ranks", "1,2", "steps", "40");
  private static final Duration LIMIT = Duration.ofMinutes(5);

  /** What rank 0 measured over all steps. */
  private record Figures(double seconds, double projected, double connect, double bytes) {
    static Figures of(List<String> lines) {
      String[] words =
          lines.stream()
              .filter(line -> line.startsWith("FIGURES "))
              .reduce((first, last) -> last)
              .orElseThrow(() -> new IllegalStateException("rank 0 printed no figures: " + lines))
              .split(" ", -1);
      return new Figures(
          Double.parseDouble(words[1]),
          Double.parseDouble(words[2]),
          Double.parseDouble(words[3]),
          Double.parseDouble(words[4]));
    }
  }

  @Override
  public void run(Results results, List<String> arguments) throws Exception {
    if (arguments.size() < 3) {
      throw new IllegalArgumentException("expected MODEL MICRO SEQ, found " + arguments);
    }
    List<String> batch = arguments.subList(0, 3);
    BenchOptions options = BenchOptions.of(arguments.subList(3, arguments.size()), DEFAULTS);
    int steps = options.count("steps");
    long tokens = Long.parseLong(batch.get(1)) * Long.parseLong(batch.get(2)) * steps;
    double first = 0;
    double last = 0;
    for (int ranks :
        Stream.of(options.text("ranks").split(",", -1)).map(Integer::valueOf).toList()) {
      Figures figures = measure(ranks, batch, steps);
      String name =
          "gpu-mezo-ranks.%s.%sx%s.r%d.".formatted(batch.get(0), batch.get(1), batch.get(2), ranks);
      last = tokens / figures.seconds();
      first = first == 0 ? last : first;
      results.add(name + "tokens", ranks * last, "tokens/s");
      results.add(name + "step", 1e3 * figures.seconds() / steps, "ms");
      results.add(name + "connect", figures.connect(), "s");
      results.add(name + "link", figures.bytes() / steps, "B/step");
      results.add(name + "projected", figures.projected(), "nats");
      results.add(name + "scaling", 100 * last / first, "%");
    }
  }

  private static Figures measure(int ranks, List<String> batch, int steps) throws Exception {
    Path folder = Files.createTempDirectory("kindling-mezo-ranks");
    try (RankGroup group = new RankGroup()) {
      for (int rank = 0; rank < ranks; rank++) {
        group.start(command(folder, rank, ranks, batch, steps));
      }
      return Figures.of(group.await(LIMIT));
    } finally {
      KindlingCommand.delete(folder);
    }
  }

  private static List<String> command(
      Path folder, int rank, int ranks, List<String> batch, int steps) {
    return Stream.of(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx4g",
                "-XX:+UseZGC",
                "-XX:-UsePerfData",
                "-XX:MaxDirectMemorySize=1t",
                "-Dorg.bytedeco.javacpp.noPointerGC=true",
                "-Dorg.bytedeco.javacpp.maxPhysicalBytes=0",
                "-Dorg.bytedeco.javacpp.maxBytes=0",
                "--add-modules=jdk.incubator.vector",
                "-cp",
                System.getProperty("java.class.path"),
                GpuMezoRank.class.getName(),
                folder.toString(),
                Integer.toString(rank),
                Integer.toString(ranks)),
            batch,
            List.of(Integer.toString(steps)))
        .flatMap(List::stream)
        .toList();
  }
}
