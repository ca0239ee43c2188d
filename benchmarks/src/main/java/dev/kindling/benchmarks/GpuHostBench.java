package dev.kindling.benchmarks;

import com.sun.management.ThreadMXBean;
import dev.kindling.kernels.backend.cuda.ProgramProfile;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

/**
 * {@code bench gpu-host [--model NAME] [--micro N] [--sequence N] [--replays N]}: what a steady
 * step costs the host (calls into the driver, garbage, time to submit), and whether many replays
 * stay as fast and as small while something collects garbage every 100 ms.
 */
final class GpuHostBench implements Benchmark {
  private static final int WARM_UP = 200;
  private static final int STEADY = 1000;
  private static final int COLLECTION_MILLIS = 100;

  @Override
  public void run(Results results, List<String> arguments) throws Exception {
    BenchOptions options =
        BenchOptions.of(
            arguments,
            Map.of("model", "tiny", "micro", "8", "sequence", "256", "replays", "10000"));
    GpuModel model = GpuModel.named(options.text("model"));
    String name = "gpu-host." + model.name() + '.';
    int sequence = options.count("sequence");
    try (GpuTraining training = new GpuTraining(model, options.count("micro"), sequence, true)) {
      training.submit();
      millis(training, WARM_UP);
      steady(results, name, training);
      replays(results, name, training, options.count("replays"));
      training.outcome();
    }
  }

  /** Mean time of a step while one is always in flight. */
  private static double millis(GpuTraining training, int steps) {
    long begin = System.nanoTime();
    for (int i = 0; i < steps; i++) {
      training.submit();
      training.outcome();
    }
    return (System.nanoTime() - begin) / 1e6 / steps;
  }

  private static void steady(Results results, String name, GpuTraining training) {
    ThreadMXBean thread = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    double[] submit = new double[STEADY];
    long calls = ProgramProfile.nativeCalls();
    long bytes = thread.getCurrentThreadAllocatedBytes();
    for (int i = 0; i < STEADY; i++) {
      long begin = System.nanoTime();
      training.submit();
      submit[i] = (System.nanoTime() - begin) / 1e3;
      training.outcome();
    }
    long left = thread.getCurrentThreadAllocatedBytes() - bytes;
    long made = ProgramProfile.nativeCalls() - calls;
    Arrays.sort(submit);
    results.add(name + "calls", made / (double) STEADY, "count");
    results.add(name + "allocated", left / (double) STEADY, "B");
    results.add(name + "submit", submit[STEADY / 2], "us");
    results.add(name + "submit.p95", submit[STEADY * 95 / 100], "us");
  }

  private static void replays(Results results, String name, GpuTraining training, int replays)
      throws IOException {
    double quiet = millis(training, replays / 5);
    System.gc();
    long resident = residentBytes();
    long free = training.freeBytes();
    ScheduledExecutorService collector = Executors.newSingleThreadScheduledExecutor();
    double disturbed;
    try {
      var unused =
          collector.scheduleAtFixedRate(System::gc, 0, COLLECTION_MILLIS, TimeUnit.MILLISECONDS);
      disturbed = millis(training, replays);
    } finally {
      collector.shutdownNow();
    }
    double after = millis(training, replays / 5);
    results.add(name + "step", Math.min(quiet, after), "ms");
    results.add(name + "step.collecting", disturbed, "ms");
    results.add(name + "slowdown", 100 * (disturbed / Math.min(quiet, after) - 1), "%");
    results.add(name + "growth.host", (residentBytes() - resident) / 1048576.0, "MiB");
    results.add(name + "growth.device", (free - training.freeBytes()) / 1048576.0, "MiB");
  }

  /** What Linux counts as resident in this process. */
  private static long residentBytes() throws IOException {
    Path status = Path.of("/proc/self/status");
    for (String line : Files.readAllLines(status, StandardCharsets.UTF_8)) {
      if (line.startsWith("VmRSS:")) {
        return Long.parseLong(line.replaceAll("[^0-9]", "")) * 1024;
      }
    }
    throw new IOException(status + ": expected a line VmRSS");
  }
}
