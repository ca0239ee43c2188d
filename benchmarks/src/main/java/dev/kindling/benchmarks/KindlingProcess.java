package dev.kindling.benchmarks;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.OptionalInt;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * A command of {@code bin/kindling} as a child process, and the worker processes below it. Closing
 * it, or ending this program, kills whatever is left, by process id.
 */
final class KindlingProcess implements AutoCloseable {
  private static final long POLL_MILLIS = 5;
  private static final long LIMIT_MINUTES = 10;
  private static final long GONE_MILLIS = 120_000;

  /** Every rank keeps its own file open from its first step to its end. */
  private static final Pattern LEDGER = Pattern.compile("/ledger/e\\d+-s\\d+-r(\\d{5})\\.log$");

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
    Runtime.getRuntime().addShutdownHook(new Thread(this::close));
  }

  /** Root of the clone, as {@code bin/kindling} exports it. */
  static Path home() {
    String home = System.getenv("KINDLING_HOME");
    return Path.of(home == null ? "." : home).toAbsolutePath().normalize();
  }

  static KindlingProcess train(Path config, Path runDir, String... sets) throws IOException {
    List<String> words =
        new ArrayList<>(List.of("train", config.toString(), "--run-dir", runDir.toString()));
    return start(runDir, words, sets);
  }

  static KindlingProcess resume(Path runDir, String... sets) throws IOException {
    return start(runDir, new ArrayList<>(List.of("resume", runDir.toString())), sets);
  }

  private static KindlingProcess start(Path runDir, List<String> words, String... sets)
      throws IOException {
    for (String set : sets) {
      words.addAll(List.of("--set", set));
    }
    words.addAll(List.of("--progress", "plain"));
    List<String> command = base();
    command.addAll(words);
    return new KindlingProcess(command, Path.of(runDir + ".log"));
  }

  /** The script that started this program; without one, such as in a test, this program's JVM. */
  private static List<String> base() {
    if (System.getenv("KINDLING_HOME") != null) {
      return new ArrayList<>(List.of(home().resolve("bin/kindling").toString()));
    }
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
        .filter(option -> option.startsWith("--add-"))
        .forEach(command::add);
    command.addAll(List.of("-Xmx512m", "-cp", System.getProperty("java.class.path")));
    command.add("dev.kindling.driver.Main");
    return command;
  }

  Path log() {
    return log;
  }

  boolean isAlive() {
    return process.isAlive();
  }

  /** Waits for the end; returns the exit code. */
  int await() throws InterruptedException {
    if (!process.waitFor(LIMIT_MINUTES, TimeUnit.MINUTES)) {
      throw new IllegalStateException("no end after " + LIMIT_MINUTES + " minutes; see " + log);
    }
    return process.exitValue();
  }

  /** Waits a little; true if the command has ended. */
  boolean pause(long millis) throws InterruptedException {
    return process.waitFor(millis, TimeUnit.MILLISECONDS);
  }

  ProcessHandle driver() {
    return process.toHandle();
  }

  /** Remembers the workers that are alive now: they must not outlive the driver for long. */
  void remember() {
    seen.addAll(workers());
  }

  /** All workers that were ever remembered. */
  List<ProcessHandle> remembered() {
    return List.copyOf(seen);
  }

  /** Worker processes, the oldest first. */
  List<ProcessHandle> workers() {
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

  /** Rank of a worker process; empty while it is not at its first step, or gone. */
  static OptionalInt rankOf(ProcessHandle worker) {
    Path files = Path.of("/proc", Long.toString(worker.pid()), "fd");
    try (DirectoryStream<Path> open = Files.newDirectoryStream(files)) {
      for (Path file : open) {
        OptionalInt rank = rankIn(target(file));
        if (rank.isPresent()) {
          return rank;
        }
      }
    } catch (IOException gone) {
      return OptionalInt.empty();
    }
    return OptionalInt.empty();
  }

  private static String target(Path link) {
    try {
      return Files.readSymbolicLink(link).toString();
    } catch (IOException closed) {
      return "";
    }
  }

  /** The rank whose ledger a file is, if it is one. */
  static OptionalInt rankIn(String file) {
    Matcher ledger = LEDGER.matcher(file);
    return ledger.find() ? OptionalInt.of(Integer.parseInt(ledger.group(1))) : OptionalInt.empty();
  }

  /** Sends STOP, CONT or TERM; one that is gone is no error. */
  static void signal(String name, ProcessHandle handle) throws IOException, InterruptedException {
    new ProcessBuilder("kill", "-" + name, Long.toString(handle.pid()))
        .redirectErrorStream(true)
        .redirectOutput(ProcessBuilder.Redirect.DISCARD)
        .start()
        .waitFor();
  }

  /**
   * Workers of a dead driver must go by themselves.
   *
   * @throws IllegalStateException if one is alive after two minutes
   */
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
    Stream.concat(process.descendants(), seen.stream()).forEach(ProcessHandle::destroyForcibly);
    process.destroyForcibly();
  }
}
