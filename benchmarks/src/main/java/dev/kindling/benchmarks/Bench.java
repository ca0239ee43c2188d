package dev.kindling.benchmarks;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * {@code bench NAME [options] [--json FILE]}: runs one benchmark. Every figure is one line {@code
 * RESULT name value unit}; the file gets the same as JSON.
 */
public final class Bench {
  private static final Map<String, Benchmark> TABLE =
      new TreeMap<>(
          Map.ofEntries(
              Map.entry("allreduce", new AllReduceBench()),
              Map.entry("kernels", new KernelSpeed()),
              Map.entry("order3", new OrderThree()),
              Map.entry("cpu-train", new CpuTrainBench()),
              Map.entry("generate", new GenerateBench()),
              Map.entry("gpu-adapters", new GpuAdaptersBench()),
              Map.entry("gpu-attention", new GpuAttentionBench()),
              Map.entry("gpu-ballast", new GpuBallastBench()),
              Map.entry("gpu-host", new GpuHostBench()),
              Map.entry("gpu-kernels", new GpuKernelsBench()),
              Map.entry("gpu-losses", new GpuLossesBench()),
              Map.entry("gpu-mezo", new GpuMezoBench()),
              Map.entry("gpu-mezo-ranks", new GpuMezoRanksBench()),
              Map.entry("gpu-padding", new GpuPaddingBench()),
              Map.entry("gpu-step", new GpuStepBench()),
              Map.entry("gpu-update", new GpuUpdateBench()),
              Map.entry("resume", new ResumeBench()),
              Map.entry("spark-overhead", new SparkOverheadBench()),
              Map.entry("start", new StartBench()),
              Map.entry("sync-scaling", new SyncScalingBench()),
              Map.entry("tokenize", new TokenizeBench()),
              Map.entry("zombies", new ZombieBench())));

  private Bench() {}

  /** Exit codes: 0 done, 1 failed, 2 unknown name or option. */
  public static void main(String[] arguments) {
    System.exit(run(List.of(arguments)));
  }

  private static int run(List<String> arguments) {
    Benchmark benchmark = arguments.isEmpty() ? null : TABLE.get(arguments.get(0));
    if (benchmark == null) {
      System.err.println("bench: expected one of " + TABLE.keySet() + ", found " + arguments);
      return 2;
    }
    try {
      var rest = new ArrayList<>(arguments.subList(1, arguments.size()));
      int json = rest.indexOf("--json");
      Path file = null;
      if (json >= 0) {
        if (json + 1 == rest.size()) {
          throw new IllegalArgumentException("--json: expected a file");
        }
        file = Path.of(rest.remove(json + 1));
        rest.remove(json);
      }
      var results = new Results();
      benchmark.run(results, List.copyOf(rest));
      if (file != null) {
        results.write(file);
      }
      return 0;
    } catch (IllegalArgumentException e) {
      System.err.println("bench: " + e.getMessage());
      return 2;
    } catch (Exception e) {
      e.printStackTrace();
      return 1;
    }
  }
}
