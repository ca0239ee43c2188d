package dev.kindling.benchmarks;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.lang.ProcessBuilder.Redirect;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;

/**
 * {@code bench cpu-train [--threads N] [--rounds N]}: tokens per second of our step over PyTorch's
 * on the CPU, same shapes and threads, two processes that take turns. The ratio is that of the
 * medians over all rounds; the smaller one of the two shapes is the figure. Both start from the
 * same weights and train on the same batch; equal work is shown by equal numbers of parameters and
 * by losses that agree in each of the first steps, and refused otherwise.
 */
final class CpuTrainBench implements Benchmark {
  private static final int ROUNDS = 7;
  private static final int CHECKED_STEPS = 10;

  /** Relative; sums of 512 to 2,048 products round differently on both sides, and Adam divides. */
  private static final double LOSS_TOLERANCE = 1e-4;

  private static final long ROUND_NANOS = 2_000_000_000L;

  @Override
  public void run(Results results, List<String> options) throws Exception {
    int threads = option(options, "--threads", 1);
    int rounds = option(options, "--rounds", ROUNDS);
    double smallest = Double.MAX_VALUE;
    for (TrainShape shape : TrainShape.ALL) {
      smallest = Math.min(smallest, compare(results, shape, threads, rounds));
    }
    results.add("cpu-train.ratio", smallest, "x");
  }

  private static double compare(Results results, TrainShape shape, int threads, int rounds)
      throws IOException {
    String name = "cpu-train." + shape.name();
    try (Side torch = new Side("torch", shape, threads);
        Side ours = new Side("ours", shape, threads)) {
      // Warm-up too: compilation here, allocator caches there; then rounds of about equal length.
      requireEqualWork(results, name, ours, torch);
      int steps = (int) Math.max(2, ROUND_NANOS / 1e9 / torch.train(2).seconds());
      List<Double> ourTimes = new ArrayList<>();
      List<Double> torchTimes = new ArrayList<>();
      for (int round = 0; round < rounds; round++) {
        ourTimes.add(ours.train(steps).seconds());
        torchTimes.add(torch.train(steps).seconds());
      }
      results.note(
          "%s: %d threads, %d rounds of %d steps, ms per step ours %s, torch %s"
              .formatted(name, threads, rounds, steps, range(ourTimes), range(torchTimes)));
      double our = KindlingCommand.median(ourTimes);
      double peer = KindlingCommand.median(torchTimes);
      results.add(name + ".ours", shape.microTokens() / our, "tokens/s");
      results.add(name + ".torch", shape.microTokens() / peer, "tokens/s");
      results.add(name + ".ratio", peer / our, "x");
      return peer / our;
    }
  }

  /** Trains both sides a little: as many parameters, the same losses step by step, falling ones. */
  private static void requireEqualWork(Results results, String name, Side ours, Side torch)
      throws IOException {
    List<Double> our = ours.train(CHECKED_STEPS).losses();
    List<Double> peer = torch.train(CHECKED_STEPS).losses();
    double difference = 0;
    for (int i = 0; i < CHECKED_STEPS; i++) {
      difference = Math.max(difference, Math.abs(our.get(i) / peer.get(i) - 1));
    }
    double first = our.get(0);
    double last = our.get(CHECKED_STEPS - 1);
    results.add(name + ".parameters", ours.parameters(), "count");
    results.add(name + ".parameters.torch", torch.parameters(), "count");
    results.add(name + ".loss.first", first, "nats");
    results.add(name + ".loss.last", last, "nats");
    results.add(name + ".loss.difference", difference, "x");
    if (ours.parameters() != torch.parameters()
        || !(difference <= LOSS_TOLERANCE)
        || !(last < first)) {
      throw new IllegalStateException(
          "%s: the sides do not the same work: expected equal parameter counts and losses that fall"
                  .formatted(name)
              + " and differ by at most %s of themselves, found %d and %d parameters, losses %s and"
                  .formatted(LOSS_TOLERANCE, ours.parameters(), torch.parameters(), our)
              + " of torch "
              + peer);
    }
  }

  /** Milliseconds, least to most. */
  private static String range(List<Double> seconds) {
    var all = seconds.stream().mapToDouble(s -> 1e3 * s).summaryStatistics();
    return String.format(Locale.ROOT, "%.1f-%.1f", all.getMin(), all.getMax());
  }

  private static int option(List<String> options, String name, int otherwise) {
    int at = options.indexOf(name);
    if (at < 0) {
      return otherwise;
    }
    if (at + 1 == options.size() || !options.get(at + 1).matches("[1-9][0-9]{0,3}")) {
      throw new IllegalArgumentException(name + ": expected a number from 1 to 9999");
    }
    return Integer.parseInt(options.get(at + 1));
  }

  /** Mean seconds of one step, and the loss of each. */
  private record Trained(double seconds, List<Double> losses) {}

  /** A child process that trains when told to. */
  private static final class Side implements AutoCloseable {
    private final Process process;
    private final OutputStream orders;
    private final BufferedReader answers;
    private final long parameters;

    Side(String side, TrainShape shape, int threads) throws IOException {
      ProcessBuilder builder =
          new ProcessBuilder(
              Path.of(System.getProperty("java.home"), "bin", "java").toString(),
              "--add-modules=jdk.incubator.vector",
              "-Xmx2g",
              "-XX:MaxDirectMemorySize=4g",
              "-Dorg.bytedeco.javacpp.maxBytes=0",
              "-Dorg.bytedeco.javacpp.maxPhysicalBytes=0",
              "-cp",
              System.getProperty("java.class.path"),
              CpuTrainSide.class.getName(),
              side,
              shape.name(),
              Integer.toString(threads));
      builder.environment().put("OMP_NUM_THREADS", Integer.toString(threads));
      builder.environment().put("OPENBLAS_NUM_THREADS", Integer.toString(threads));
      builder.redirectError(Redirect.INHERIT);
      process = builder.start();
      orders = process.getOutputStream();
      answers =
          new BufferedReader(
              new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
      parameters = Long.parseLong(answer("PARAMETERS "));
    }

    long parameters() {
      return parameters;
    }

    Trained train(int steps) throws IOException {
      orders.write((steps + "\n").getBytes(StandardCharsets.UTF_8));
      orders.flush();
      String[] words = answer("TIMED ").split(" ", -1);
      List<Double> losses = Stream.of(words[1].split(",", -1)).map(Double::valueOf).toList();
      if (!losses.stream().allMatch(Double::isFinite)) {
        throw new IOException("a side trains on a loss that is not finite: " + losses);
      }
      return new Trained(Long.parseLong(words[0]) / 1e9 / steps, losses);
    }

    /** What follows the mark on the next line that starts with it. */
    private String answer(String mark) throws IOException {
      for (String line = answers.readLine(); line != null; line = answers.readLine()) {
        if (line.startsWith(mark)) {
          return line.substring(mark.length());
        }
      }
      throw new IOException("a side ended before it answered: " + process.info().commandLine());
    }

    @Override
    public void close() {
      process.destroy();
    }
  }
}
