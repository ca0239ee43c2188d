package dev.kindling.benchmarks;

import java.util.Arrays;
import java.util.List;
import java.util.Map;

/**
 * {@code bench gpu-mezo MODEL MICRO SEQ [--directions N] [--sparsity S] [--weights device|host]
 * [--steps N] [--warmup N]}: seconds per zeroth-order step, tokens per second (each token once a
 * step, though it passes twice) and bytes, on random weights and tokens. MODEL is tiny, 1b, 8b or
 * 30b.
 */
final class GpuMezoBench implements Benchmark {
  private static final double GIB = 1L << 30;

  private static final Map<String, String> DEFAULTS =
      Map.of("directions", "1", "sparsity", "0", "steps", "10", "warmup", "3", "weights", "device");

  @Override
  public void run(Results results, List<String> arguments) {
    if (arguments.size() < 3) {
      throw new IllegalArgumentException("expected MODEL MICRO SEQ, found " + arguments);
    }
    MezoShape shape = MezoShape.named(arguments.get(0));
    int micro = Integer.parseInt(arguments.get(1));
    int sequence = Integer.parseInt(arguments.get(2));
    BenchOptions options = BenchOptions.of(arguments.subList(3, arguments.size()), DEFAULTS);
    boolean host = onHost(options.text("weights"));
    String sparsity = options.text("sparsity");
    String name =
        "gpu-mezo."
            + shape.name()
            + '.'
            + micro
            + 'x'
            + sequence
            + ".s"
            + sparsity
            + (host ? ".host." : ".");
    long start = System.nanoTime();
    int directions = options.count("directions");
    try (GpuMezo mezo = GpuMezo.alone(shape, micro, sequence, directions, sparsity, host)) {
      results.note(mezo.device());
      results.add(name + "parameters", mezo.parameters(), "count");
      results.add(name + "start", (System.nanoTime() - start) / 1e9, "s");
      mezo.submit();
      float first = mezo.loss(0);
      results.add(name + "loss.first", first, "nats");
      for (int i = 0; i < options.count("warmup"); i++) {
        mezo.submit();
        mezo.loss(0);
      }
      double[] seconds = seconds(mezo, Math.max(1, options.count("steps")));
      double median = seconds[seconds.length / 2];
      results.add(name + "step", median, "s");
      results.add(name + "step.best", seconds[0], "s");
      results.add(name + "tokens", (double) micro * sequence / median, "tokens/s");
      results.add(name + "projected", mezo.projected(), "nats");
      float last = mezo.loss(0);
      results.add(name + "loss.last", last, "nats");
      results.add(name + "weights", 2.0 * mezo.parameters() / GIB, "GiB");
      results.add(name + "activations", mezo.activationBytes() / GIB, "GiB");
      results.add(name + "reserved", mezo.reservedBytes() / GIB, "GiB");
      results.add(name + "device", (mezo.totalBytes() - mezo.freeBytes()) / GIB, "GiB");
      if (!Float.isFinite(first) || !Float.isFinite(last)) {
        throw new IllegalStateException(name + ": expected finite losses, found " + last);
      }
    }
  }

  private static boolean onHost(String place) {
    return switch (place) {
      case "device" -> false;
      case "host" -> true;
      default ->
          throw new IllegalArgumentException("--weights: expected device or host, found " + place);
    };
  }

  /** Ascending. One step computes while the host submits the next, where the device can. */
  static double[] seconds(GpuMezo mezo, int steps) {
    double[] seconds = new double[steps];
    int ahead = mezo.inFlight() - 1;
    for (int i = 0; i < ahead; i++) {
      mezo.submit();
    }
    if (ahead > 0) {
      mezo.submit();
      mezo.loss(ahead);
    }
    long begin = System.nanoTime();
    for (int i = 0; i < steps; i++) {
      mezo.submit();
      mezo.loss(ahead);
      long end = System.nanoTime();
      seconds[i] = (end - begin) / 1e9;
      begin = end;
    }
    Arrays.sort(seconds);
    return seconds;
  }
}
