package dev.kindling.benchmarks;

import dev.kindling.benchmarks.scaling.Algorithm;
import dev.kindling.benchmarks.scaling.AllReducePoint;
import dev.kindling.benchmarks.scaling.Cluster;
import dev.kindling.benchmarks.scaling.Co2Table;
import dev.kindling.benchmarks.scaling.Link;
import dev.kindling.benchmarks.scaling.MeasuredRun;
import dev.kindling.benchmarks.scaling.Measurements;
import dev.kindling.benchmarks.scaling.Outcome;
import dev.kindling.benchmarks.scaling.Scaling;
import dev.kindling.configs.yaml.ConfigException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;

/**
 * Scaling on paper: throughput, exposed communication and efficiency of ways to synchronise, by a
 * simulation from the measured times in a file, with its error against every one of them.
 *
 * <p>Options: {@code --file FILE} (benchmarks/scaling/measured.yaml, which says what its keys
 * mean), {@code --workers 8,32,...} (whole hosts), {@code --gbit 1,10,...} (between hosts), {@code
 * --steps N} (1,000, at least, of each simulation), {@code --seed N} (1), {@code --set
 * "path=value;path=value"} (over the file: {@code worker.jitter=0.05}), {@code --out DIR} (writes
 * scaling.md, over-workers.svg and over-links.svg; default: a new temporary folder).
 */
final class SyncScalingBench implements Benchmark {
  private static final String OURS = "benchmarks/scaling/measured.yaml";

  @Override
  public void run(Results results, List<String> arguments) throws IOException {
    BenchOptions options =
        BenchOptions.of(
            arguments,
            Map.of(
                "file", "",
                "workers", "8,32,128,512,2048,4096",
                "gbit", "1,2,5,10,25,100,400,800",
                "steps", "1000",
                "seed", "1",
                "set", "",
                "out", ""));
    String given = options.text("file");
    Path file = given.isEmpty() ? KindlingProcess.home().resolve(OURS) : Path.of(given);
    Measurements measured = read(file, options.text("set"));
    links(results, measured);
    runs(results, measured, options.count("seed"));
    List<Integer> workers = counts(options, "workers");
    List<Integer> gbits = counts(options, "gbit");
    Scaling scaling =
        Scaling.of(measured, workers, gbits, options.count("steps"), options.count("seed"));
    cells(results, scaling);
    co2Table(results);
    Path folder = folder(options.text("out"));
    String table = scaling.markdown(measured.cluster().workersPerHost());
    Files.writeString(folder.resolve("scaling.md"), table, StandardCharsets.UTF_8);
    // A cut through the middle of either list.
    String overWorkers = scaling.overWorkers(gbits.get(gbits.size() / 2));
    Files.writeString(folder.resolve("over-workers.svg"), overWorkers, StandardCharsets.UTF_8);
    String overLinks = scaling.overLinks(workers.get(workers.size() / 2));
    Files.writeString(folder.resolve("over-links.svg"), overLinks, StandardCharsets.UTF_8);
    results.note("table and pictures: " + folder);
  }

  private static Path folder(String out) throws IOException {
    return out.isEmpty()
        ? Files.createTempDirectory("kindling-sync-scaling-")
        : Files.createDirectories(Path.of(out));
  }

  private static Measurements read(Path file, String assignments) {
    try {
      Stream<String> all = Stream.of(assignments.split(";", -1)).filter(each -> !each.isBlank());
      return Measurements.read(file, all.toList());
    } catch (ConfigException e) {
      throw new IllegalArgumentException(e.getMessage(), e);
    }
  }

  private static List<Integer> counts(BenchOptions options, String name) {
    try {
      return Stream.of(options.text(name).split(",", -1)).map(Integer::valueOf).toList();
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException(
          "--" + name + ": expected integers with commas between, found " + options.text(name), e);
    }
  }

  /** Each network's fit, and its error against each of its points. */
  private static void links(Results results, Measurements measured) {
    Cluster fitted = measured.fittedCluster();
    for (Link link : List.of(fitted.inside(), fitted.between())) {
      boolean known =
          measured.allReduces().stream().anyMatch(p -> p.network().equals(link.network()));
      results.note(
          String.format(
              Locale.ROOT,
              "%s: %.2f us a hop, %.1f %% of the nominal rate (%s)",
              link.network(),
              link.latencyUs(),
              100 * link.share(),
              known ? "fitted" : "assumed"));
    }
    double worst = 0;
    for (int i = 0; i < measured.allReduces().size(); i++) {
      AllReducePoint point = measured.allReduces().get(i);
      double error = point.error(measured.fitted(point.network()));
      worst = Math.max(worst, Math.abs(error));
      // Numbered, because the same call may have been measured twice.
      String name = "sync_scaling.point." + (i + 1) + '.' + point.name();
      results.add(name + ".error", 100 * error, "%");
    }
    results.add("sync_scaling.points.error.max", 100 * worst, "%");
  }

  private static void runs(Results results, Measurements measured, long seed) {
    for (MeasuredRun run : measured.runs()) {
      double ms = run.predictedMs(measured.worker(), measured.fittedCluster(), seed);
      results.add("sync_scaling.run." + run.name() + ".predicted", ms, "ms");
      results.add("sync_scaling.run." + run.name() + ".measured", run.ms(), "ms");
      results.add("sync_scaling.run." + run.name() + ".error", 100 * (ms / run.ms() - 1), "%");
    }
  }

  private static void cells(Results results, Scaling scaling) {
    for (Scaling.Cell cell : scaling.cells()) {
      Outcome outcome = cell.outcome();
      String name = "sync_scaling." + cell.name();
      results.add(name + ".rate", outcome.tokensPerSecond(), "tokens/s");
      results.add(name + ".exposed", 1e3 * outcome.exposedSeconds(), "ms");
      results.add(name + ".efficiency", 100 * outcome.efficiency(), "%");
    }
  }

  private static void co2Table(Results results) {
    results.note(
        "CO2's published table (7B, 80 Gbit/s TCP): words a step from its rows of 8 and 16 GPUs, the rest predicted;"
            + " assumed: 7e9 parameters, hosts of 8 GPUs with one link, all of its rate usable, no latency,"
            + " gradients of 2 bytes, no overlap of AdamW's, equal GPUs; both algorithms, 2 or 4 bytes of CO2's parameters");
    String published = "sync_scaling.co2_table.published.";
    results.add(published + "adamw_128", Co2Table.ADAMW_128, "words/s");
    results.add(published + "co2_128", Co2Table.CO2_128, "words/s");
    results.add(published + "ratio", Co2Table.publishedRatio(), "x");
    results.add(published + "scaling_tau12", Co2Table.SCALING_12, "x");
    results.add(published + "scaling_tau48", Co2Table.SCALING_48, "x");
    for (Algorithm algorithm : List.of(Algorithm.RING, Algorithm.HIERARCHICAL)) {
      for (double bytes : List.of(2.0, 4.0)) {
        Co2Table table = new Co2Table(algorithm, bytes);
        String name =
            String.format(
                Locale.ROOT,
                "sync_scaling.co2_table.%s.%.0fbytes.",
                algorithm.name().toLowerCase(Locale.ROOT),
                bytes);
        results.add(name + "words_per_step", table.wordsPerStep(), "count");
        results.add(name + "adamw_128", table.adamw(128), "words/s");
        results.add(name + "co2_128", table.co2(128, 48), "words/s");
        results.add(name + "ratio", table.ratio(), "x");
        results.add(name + "scaling_tau12", table.scaling(12), "x");
        results.add(name + "scaling_tau48", table.scaling(48), "x");
      }
    }
  }
}
