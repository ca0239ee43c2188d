package dev.kindling.benchmarks;

import dev.kindling.worker.event.report.MetricsLog;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A command of {@code bin/kindling} as a child process, and the worker processes below it. Closing
 * it kills whatever is left, by process id.
 */
final class KindlingProcess implements AutoCloseable {
  private static final long POLL_MILLIS = 5;
  private static final long LIMIT_MINUTES = 10;
  private static final long GONE_MILLIS = 120_000;

  /** What Spark's launcher and that of plain processes say; 137 is the exit code of a SIGKILL. */
  private static final Pattern DEAD_RANK =
      Pattern.compile("rank (\\d+): (?:its worker died|process ended with exit code 137)");

  private static final String UNNAMED = "unnamed_rank";

  private final Process process;
  private final Path log;
  private final List<ProcessHandle> seen = new ArrayList<>();

  private KindlingProcess(List<String> command, Path log) throws IOException {
    this.log = log;
    this.process =
        new ProcessBuilder(command)
            .redirectErrorStream(true)
            .redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile()))
            .start();
  }

  /** Root of the clone, as {@code bin/kindling} exports it. */
  static Path home() {
    String home = System.getenv("KINDLING_HOME");
    return Path.of(home == null ? "." : home).toAbsolutePath().normalize();
  }

  static KindlingProcess train(Path config, Path runDir) throws IOException {
    return start(
        runDir, "train", config.toString(), "--run-dir", runDir.toString(), "--progress", "plain");
  }

  static KindlingProcess resume(Path runDir) throws IOException {
    return start(runDir, "resume", runDir.toString(), "--progress", "plain");
  }

  private static KindlingProcess start(Path runDir, String... words) throws IOException {
    List<String> command = new ArrayList<>(List.of(home().resolve("bin/kindling").toString()));
    command.addAll(List.of(words));
    return new KindlingProcess(command, Path.of(runDir + ".log"));
  }

  Path log() {
    return log;
  }

  /** Waits for the end; returns the exit code. */
  int await() throws InterruptedException {
    if (!process.waitFor(LIMIT_MINUTES, TimeUnit.MINUTES)) {
      throw new IllegalStateException("no end after " + LIMIT_MINUTES + " minutes; see " + log);
    }
    return process.exitValue();
  }

  /**
   * Waits for the moment and kills the target.
   *
   * @return {@code driver}, {@code rank0} or {@code worker} after what the command itself said of
   *     the dead, {@code unnamed_rank} if it named none; empty if the run ended before
   */
  String killAt(KillMoment moment, Path metrics) throws IOException, InterruptedException {
    while (lastStep(metrics) < moment.step()) {
      if (process.waitFor(POLL_MILLIS, TimeUnit.MILLISECONDS)) {
        return "";
      }
    }
    List<ProcessHandle> workers = workers();
    TimeUnit.MILLISECONDS.sleep(moment.delayMillis());
    seen.addAll(process.descendants().toList());
    long sizeBefore = Files.size(log);
    Optional<ProcessHandle> target =
        switch (moment.target()) {
          case DRIVER -> Optional.of(process.toHandle());
          case RANK_ZERO -> workers.stream().findFirst();
          case WORKER -> workers.stream().reduce((first, second) -> second);
        };
    if (target.isEmpty() || !target.get().isAlive() || !target.get().destroyForcibly()) {
      return "";
    }
    if (moment.target() == KillTarget.DRIVER) {
      return "driver";
    }
    return rankOf(sizeBefore);
  }

  private static long lastStep(Path metrics) throws IOException {
    var steps = MetricsLog.read(metrics).byStep();
    return steps.isEmpty() ? 0 : steps.lastKey();
  }

  /**
   * Worker processes, the oldest first: launchers start ranks in order, executors come as they
   * come.
   */
  private List<ProcessHandle> workers() {
    return process
        .descendants()
        .filter(
            handle ->
                commandLine(handle).contains("WorkerMain")
                    || commandLine(handle).contains("CoarseGrainedExecutorBackend"))
        .sorted(Comparator.comparingLong(ProcessHandle::pid))
        .toList();
  }

  /** From /proc, since the JDK cuts long command lines before the main class. */
  private static String commandLine(ProcessHandle handle) {
    try {
      return Files.readString(
          Path.of("/proc", Long.toString(handle.pid()), "cmdline"), StandardCharsets.ISO_8859_1);
    } catch (IOException gone) {
      return "";
    }
  }

  /**
   * Under Spark nobody outside knows which executor holds rank 0; the command says which rank died.
   */
  private String rankOf(long logBytes) throws IOException, InterruptedException {
    for (long waited = 0; waited < GONE_MILLIS && process.isAlive(); waited += POLL_MILLIS) {
      byte[] all = Files.readAllBytes(log);
      int from = (int) Math.min(logBytes, all.length);
      String said = new String(all, from, all.length - from, StandardCharsets.UTF_8);
      String dead = deadIn(said);
      if (!dead.equals(UNNAMED) || said.contains("trying again")) {
        return dead;
      }
      TimeUnit.MILLISECONDS.sleep(POLL_MILLIS);
    }
    return UNNAMED;
  }

  /** {@code rank0}, {@code worker} or {@code unnamed_rank} after the first death in these lines. */
  static String deadIn(String lines) {
    Matcher said = DEAD_RANK.matcher(lines);
    if (!said.find()) {
      return UNNAMED;
    }
    return said.group(1).equals("0") ? "rank0" : "worker";
  }

  /** Workers of a dead driver must go by themselves. */
  void awaitDescendants() throws InterruptedException {
    for (ProcessHandle handle : seen) {
      for (long waited = 0; handle.isAlive() && waited < GONE_MILLIS; waited += POLL_MILLIS) {
        TimeUnit.MILLISECONDS.sleep(POLL_MILLIS);
      }
      if (handle.isAlive()) {
        throw new IllegalStateException(
            "process " + handle.pid() + " outlived its driver by two minutes");
      }
    }
  }

  @Override
  public void close() {
    process.descendants().forEach(ProcessHandle::destroyForcibly);
    seen.forEach(ProcessHandle::destroyForcibly);
    process.destroyForcibly();
  }
}
