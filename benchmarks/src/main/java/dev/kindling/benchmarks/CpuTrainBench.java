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

/**
 * {@code bench cpu-train [--threads N] [--rounds N]}: tokens per second of our step over PyTorch's
 * on the CPU, same shapes and threads, two processes that take turns. The ratio is that of the
 * medians over all rounds; the smaller one of the two shapes is the figure.
 */
final class CpuTrainBench implements Benchmark {
  private static final int ROUNDS = 7;
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
    try (Side torch = new Side("torch", shape, threads);
        Side ours = new Side("ours", shape, threads)) {
      // Warm-up: compilation here, allocator caches there; then rounds of about equal length.
      ours.seconds(3);
      torch.seconds(3);
      ours.seconds(3);
      int steps = (int) Math.max(2, ROUND_NANOS / 1e9 / torch.seconds(2));
      List<Double> ourTimes = new ArrayList<>();
      List<Double> torchTimes = new ArrayList<>();
      for (int round = 0; round < rounds; round++) {
        ourTimes.add(ours.seconds(steps));
        torchTimes.add(torch.seconds(steps));
      }
      double our = median(ourTimes);
      double peer = median(torchTimes);
      String name = "cpu-train." + shape.name();
      results.note(
          String.format(
              Locale.ROOT,
              "%s: %d threads, %d rounds of %d steps, ms per step ours %.1f-%.1f, torch %.1f-%.1f",
              name,
              threads,
              rounds,
              steps,
              1e3 * ourTimes.stream().min(Double::compare).orElseThrow(),
              1e3 * ourTimes.stream().max(Double::compare).orElseThrow(),
              1e3 * torchTimes.stream().min(Double::compare).orElseThrow(),
              1e3 * torchTimes.stream().max(Double::compare).orElseThrow()));
      results.add(name + ".ours", shape.microTokens() / our, "tokens/s");
      results.add(name + ".torch", shape.microTokens() / peer, "tokens/s");
      results.add(name + ".ratio", peer / our, "x");
      return peer / our;
    }
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

  private static double median(List<Double> values) {
    return values.stream().sorted().toList().get(values.size() / 2);
  }

  /** A child process that trains when told to. */
  private static final class Side implements AutoCloseable {
    private final Process process;
    private final OutputStream orders;
    private final BufferedReader answers;

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
    }

    /** Mean seconds of one step over so many steps. */
    double seconds(int steps) throws IOException {
      orders.write((steps + "\n").getBytes(StandardCharsets.UTF_8));
      orders.flush();
      String line = answers.readLine();
      while (line != null && !line.startsWith("TIMED ")) {
        line = answers.readLine();
      }
      if (line == null) {
        throw new IOException("a side ended before it answered: " + process.info().commandLine());
      }
      int space = line.indexOf(' ', 6);
      if (!Float.isFinite(Float.parseFloat(line.substring(space + 1)))) {
        throw new IOException("a side trains on a loss that is not finite: " + line);
      }
      return Long.parseLong(line.substring(6, space)) / 1e9 / steps;
    }

    @Override
    public void close() {
      process.destroy();
    }
  }
}
