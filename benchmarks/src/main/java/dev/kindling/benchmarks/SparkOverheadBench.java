package dev.kindling.benchmarks;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Median step of the quickstart's shape under Spark over the same in plain processes; both use the
 * same ring, threads, steps and heap, each run in cold JVMs. A round is bare, Spark, bare: the two
 * bare runs give the A/A spread that the ratio has to be read against.
 */
final class SparkOverheadBench implements Benchmark {
  private static final int ROUNDS = 5;
  private static final int STEPS = 60;

  /** What executors get by default; the plain processes get it too. */
  private static final String EXECUTOR_HEAP = "-Xmx1g";

  /** Steps in which the JIT still works. */
  private static final int WARM = 20;

  @Override
  public void run(Results results, List<String> arguments) throws Exception {
    BenchOptions.none(arguments);
    KindlingCommand kindling = KindlingCommand.find();
    Path folder = Files.createTempDirectory("kindling-overhead-");
    try {
      List<Double> ratios = new ArrayList<>();
      List<Double> same = new ArrayList<>();
      for (int round = 0; round < ROUNDS; round++) {
        double before = step(kindling, folder.resolve("bare" + round), "processes");
        double spark = step(kindling, folder.resolve("spark" + round), "spark");
        double after = step(kindling, folder.resolve("again" + round), "processes");
        ratios.add(spark / ((before + after) / 2));
        same.add(Math.abs(after / before - 1));
        results.note(
            "round %d: bare %.2f ms, Spark %.2f ms, bare %.2f ms"
                .formatted(round + 1, before, spark, after));
      }
      results.add("spark-overhead.ratio", KindlingCommand.median(ratios), "x");
      results.add("spark-overhead.aa-spread", KindlingCommand.median(same), "x");
      results.add(
          "spark-overhead.aa-spread.max", same.stream().mapToDouble(s -> s).max().orElse(0), "x");
    } finally {
      KindlingCommand.delete(folder);
    }
  }

  private static double step(KindlingCommand kindling, Path runDir, String launcher)
      throws Exception {
    kindling.secondsTo(
        "step 1/",
        List.of(
            "train",
            kindling.recipe("quickstart.yaml").toString(),
            "--run-dir",
            runDir.toString(),
            "--progress",
            "plain",
            "--set",
            "launcher=" + launcher,
            "--set",
            "steps=" + STEPS,
            "--set",
            "validation.every_steps=1000000",
            "--set",
            "checkpoint.every_steps=1000000",
            "--set",
            "log.every_steps=1"),
        EXECUTOR_HEAP);
    return KindlingCommand.medianStepMillis(runDir, WARM);
  }
}
