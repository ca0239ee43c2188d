package dev.kindling.benchmarks;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** Runs {@code bin/kindling} as a user does: a cold JVM per call. */
final class KindlingCommand {
  private static final Pattern STEP =
      Pattern.compile("\"step\":(\\d+),.*\"step_ms\":([0-9.eE+-]+)");

  private final Path home;

  private KindlingCommand(Path home) {
    this.home = home;
  }

  /**
   * @throws IllegalArgumentException if this JVM was not started by {@code bin/kindling bench}
   */
  static KindlingCommand find() {
    String home = System.getenv("KINDLING_HOME");
    if (home == null) {
      throw new IllegalArgumentException("KINDLING_HOME: expected a start by bin/kindling bench");
    }
    return new KindlingCommand(Path.of(home));
  }

  Path recipe(String name) {
    return home.resolve("cluster-configs").resolve(name);
  }

  /**
   * Runs to the end.
   *
   * @return seconds from the start of the command to the first output line that starts with {@code
   *     mark}
   * @throws IllegalStateException if it fails or never prints such a line
   */
  double secondsTo(String mark, List<String> words) throws IOException, InterruptedException {
    return secondsTo(mark, words, "");
  }

  /**
   * As {@link #secondsTo(String, List)}, with a heap option for the command and its plain worker
   * processes, such as {@code -Xmx1g}; executors have that of {@code spark.executor.memory}.
   */
  double secondsTo(String mark, List<String> words, String heap)
      throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(List.of(home.resolve("bin/kindling").toString()));
    command.addAll(words);
    long begin = System.nanoTime();
    ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
    builder.environment().merge("KINDLING_JAVA_OPTS", heap, (given, ours) -> given + " " + ours);
    Process process = builder.start();
    StringBuilder all = new StringBuilder();
    double seconds = Double.NaN;
    try (var lines =
        new BufferedReader(
            new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        all.append(line).append('\n');
        if (Double.isNaN(seconds) && line.startsWith(mark)) {
          seconds = (System.nanoTime() - begin) / 1e9;
        }
      }
    }
    if (process.waitFor() != 0 || Double.isNaN(seconds)) {
      throw new IllegalStateException(command + " ended with " + process.exitValue() + ":\n" + all);
    }
    return seconds;
  }

  /** Median of {@code step_ms} over the steps after {@code skip} in a run folder. */
  static double medianStepMillis(Path runDir, long skip) throws IOException {
    List<Double> millis = new ArrayList<>();
    for (String line : Files.readAllLines(runDir.resolve("metrics.jsonl"))) {
      Matcher matcher = STEP.matcher(line);
      if (matcher.find() && Long.parseLong(matcher.group(1)) > skip) {
        millis.add(Double.parseDouble(matcher.group(2)));
      }
    }
    return median(millis);
  }

  static double median(List<Double> values) {
    if (values.isEmpty()) {
      throw new IllegalStateException("no values");
    }
    List<Double> sorted = values.stream().sorted().toList();
    int half = sorted.size() / 2;
    return sorted.size() % 2 == 1
        ? sorted.get(half)
        : (sorted.get(half - 1) + sorted.get(half)) / 2;
  }

  static void delete(Path folder) throws IOException {
    try (Stream<Path> paths = Files.walk(folder)) {
      for (Path path : paths.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(path);
      }
    }
  }
}
