package dev.kindling.benchmarks;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * From the command to the end of the first step of the quickstart: everything built, data prepared,
 * cold JVMs.
 */
final class StartBench implements Benchmark {
  private static final int RUNS = 5;

  @Override
  public void run(Results results, List<String> arguments) throws Exception {
    BenchOptions.none(arguments);
    KindlingCommand kindling = KindlingCommand.find();
    Path folder = Files.createTempDirectory("kindling-start-");
    try {
      // The first call prepares the data.
      kindling.secondsTo("step 1/", words(kindling, folder.resolve("warm")));
      List<Double> seconds = new ArrayList<>();
      for (int i = 0; i < RUNS; i++) {
        seconds.add(kindling.secondsTo("step 1/", words(kindling, folder.resolve("run" + i))));
        results.note("run %d: %.2f s".formatted(i + 1, seconds.get(i)));
      }
      results.add("start.seconds", KindlingCommand.median(seconds), "s");
      results.add("start.seconds.max", seconds.stream().mapToDouble(s -> s).max().orElse(0), "s");
    } finally {
      KindlingCommand.delete(folder);
    }
  }

  private static List<String> words(KindlingCommand kindling, Path runDir) {
    return List.of(
        "train",
        kindling.recipe("quickstart.yaml").toString(),
        "--run-dir",
        runDir.toString(),
        "--progress",
        "plain",
        "--set",
        "steps=2",
        "--set",
        "schedule.warmup_steps=1",
        "--set",
        "log.every_steps=1");
  }
}
