package dev.kindling.benchmarks;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * {@code bench allreduce [--ranks 2,4]}: our all-reduce (authenticated handshake, plain payload)
 * over Gloo's (PyTorch through JavaCPP, FileStore, default options), fp32 sums in place.
 *
 * <p>Ranks are processes of this machine; all engines live in the same processes and take turns,
 * one block of calls each, in one run. The figure of a run is the median over blocks of a block's
 * time per call, on rank 0 (single calls would flatter: a call is short when the peer was ahead).
 * Before and after timing each engine's sum of values that differ by rank is checked against fp64
 * ({@link AllReduceCheck}). {@code ratio} is Gloo's median time over ours in ring order; {@code
 * tree_ratio} the same for the exact mode; {@code sockets_ratio} the same for ring order without
 * shared memory, as between hosts.
 */
final class AllReduceBench implements Benchmark {
  private static final Duration LIMIT = Duration.ofMinutes(10);

  @Override
  public void run(Results results, List<String> arguments) throws Exception {
    for (int ranks : worlds(arguments)) {
      Map<String, Double> medians = measure(ranks);
      for (String size : List.of("64MiB", "4KiB")) {
        String name = "allreduce." + size + '.' + ranks + "ranks.";
        double gloo = median(medians, "gloo", size);
        boolean large = size.equals("64MiB");
        double unit = large ? 1e6 : 1e3;
        String word = large ? "ms" : "us";
        results.add(name + "gloo", gloo / unit, word);
        results.add(name + "ours", median(medians, "ring", size) / unit, word);
        results.add(name + "ours_tree", median(medians, "tree", size) / unit, word);
        results.add(name + "ours_sockets", median(medians, "sockets", size) / unit, word);
        results.add(name + "sockets_ratio", gloo / median(medians, "sockets", size), "x");
        results.add(name + "tree_ratio", gloo / median(medians, "tree", size), "x");
        results.add(name + "ratio", gloo / median(medians, "ring", size), "x");
      }
    }
  }

  private static double median(Map<String, Double> medians, String engine, String size) {
    Double value = medians.get(engine + '.' + size);
    if (value == null) {
      throw new IllegalStateException("rank 0 reported no time of " + engine + " at " + size);
    }
    return value;
  }

  private static List<Integer> worlds(List<String> arguments) {
    if (arguments.isEmpty()) {
      return List.of(2, 4);
    }
    if (arguments.size() != 2 || !arguments.get(0).equals("--ranks")) {
      throw new IllegalArgumentException("allreduce: expected [--ranks 2,4], found " + arguments);
    }
    return Stream.of(arguments.get(1).split(",", -1)).map(Integer::valueOf).toList();
  }

  /** Starts the ranks, waits for them, and returns median nanoseconds by engine and size. */
  private static Map<String, Double> measure(int ranks) throws Exception {
    Path folder = Files.createTempDirectory("kindling-allreduce");
    try (RankGroup group = new RankGroup()) {
      for (int rank = 0; rank < ranks; rank++) {
        group.start(command(folder, rank, ranks));
      }
      var medians = new TreeMap<String, Double>();
      for (String line : group.await(LIMIT)) {
        String[] words = line.split(" ", -1);
        if (words.length == 3 && words[0].equals("TIMES")) {
          medians.put(words[1], medianOf(words[2]));
        }
      }
      return medians;
    } finally {
      KindlingCommand.delete(folder);
    }
  }

  private static List<String> command(Path folder, int rank, int ranks) {
    var command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx512m",
                "-XX:MaxDirectMemorySize=1g",
                "--add-modules=jdk.incubator.vector",
                "-cp",
                System.getProperty("java.class.path"),
                AllReduceRank.class.getName(),
                folder.toString(),
                Integer.toString(rank),
                Integer.toString(ranks)));
    for (String name : System.getProperties().stringPropertyNames()) {
      if (name.startsWith("kindling.")) {
        command.add(1, "-D" + name + '=' + System.getProperty(name));
      }
    }
    return command;
  }

  private static double medianOf(String list) {
    double[] values = Arrays.stream(list.split(",", -1)).mapToDouble(Double::parseDouble).toArray();
    Arrays.sort(values);
    int middle = values.length / 2;
    return values.length % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
  }
}
