package dev.kindling.driver.launch;

import java.io.File;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * A driver JVM of a test, leader of a process group of its own that gets the signals; the
 * executors, if it starts any, are members. Spark's home is made of the jars of the test's class
 * path.
 */
public final class DriverProcess implements AutoCloseable {
  private final Process process;
  private final Path output;

  private DriverProcess(Process process, Path output) {
    this.process = process;
    this.output = output;
  }

  /** What executors need on their class path beside Spark's home. */
  public static String ownClasses() {
    return String.join(File.pathSeparator, entries(false));
  }

  private static List<String> entries(boolean jars) {
    String[] all = System.getProperty("java.class.path").split(File.pathSeparator, -1);
    return List.of(all).stream()
        .map(entry -> Path.of(entry).toAbsolutePath())
        .filter(path -> Files.isRegularFile(path) == jars)
        .map(Path::toString)
        .toList();
  }

  /** As {@link #startIn}, in the working folder of the test. */
  public static DriverProcess start(Path folder, List<String> words) throws IOException {
    return startIn(Path.of("").toAbsolutePath(), folder, words);
  }

  /**
   * @param working its working folder
   * @param folder for Spark's home and the output
   * @param words main class and its arguments
   */
  public static DriverProcess startIn(Path working, Path folder, List<String> words)
      throws IOException {
    return startIn(working, folder, words, Map.of());
  }

  /** As above, with variables of its environment. */
  static DriverProcess startIn(
      Path working, Path folder, List<String> words, Map<String, String> variables)
      throws IOException {
    Path home = folder.resolve("spark");
    Path jars = home.resolve("jars");
    if (!Files.exists(jars)) {
      Files.createDirectories(jars);
      Files.createDirectories(home.resolve("conf"));
      for (String jar : entries(true)) {
        Path name = Path.of(jar).getFileName();
        Files.createSymbolicLink(jars.resolve(name), Path.of(jar));
      }
    }
    // A fresh child leads no group, so setsid becomes java itself and the process id is the
    // group's.
    // A suite that runs in the background inherits an ignored SIGINT, which a JVM then leaves
    // alone.
    List<String> command = new ArrayList<>(List.of("env", "--default-signal=INT,TERM", "setsid"));
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
        .filter(option -> option.startsWith("--add-"))
        .forEach(command::add);
    command.addAll(List.of("-Xmx1g", "-XX:MaxDirectMemorySize=1g"));
    command.add("-Dlog4j2.configurationFile=" + quietLog());
    command.addAll(List.of("-cp", jars + "/*" + File.pathSeparator + ownClasses()));
    command.addAll(words);
    Path output = Files.createTempFile(folder, "output", ".txt");
    ProcessBuilder builder =
        new ProcessBuilder(command)
            .directory(working.toFile())
            .redirectErrorStream(true)
            .redirectOutput(output.toFile());
    builder
        .environment()
        .putAll(
            Map.of(
                "SPARK_HOME", home.toString(),
                "SPARK_SCALA_VERSION", "2.13",
                "SPARK_LOCAL_IP", "127.0.0.1"));
    builder.environment().putAll(variables);
    return new DriverProcess(builder.start(), output);
  }

  /** The logging that {@code bin/kindling} uses. */
  private static Path quietLog() {
    Path root = Path.of("").toAbsolutePath();
    while (!Files.exists(root.resolve("bin/log4j2.properties"))) {
      root = Objects.requireNonNull(root.getParent(), "no bin/log4j2.properties above");
    }
    return root.resolve("bin/log4j2.properties");
  }

  public boolean isAlive() {
    return process.isAlive();
  }

  /** Everything it printed so far. */
  public String text() throws IOException {
    return Files.readString(output, StandardCharsets.ISO_8859_1);
  }

  /** Executor JVMs that are alive now. */
  List<ProcessHandle> executors() {
    return children("CoarseGrainedExecutorBackend");
  }

  /** Command lines of it and of all processes below it, as every user of the machine sees them. */
  List<String> commandLines() {
    return Stream.concat(Stream.of(process.toHandle()), process.descendants())
        .map(DriverProcess::commandLine)
        .toList();
  }

  /** Processes below it whose command line has {@code word}. */
  List<ProcessHandle> children(String word) {
    return process.descendants().filter(handle -> commandLine(handle).contains(word)).toList();
  }

  /** Rank JVMs that are alive now, whichever launcher started them. */
  List<ProcessHandle> workers() {
    return process
        .descendants()
        .filter(
            handle ->
                commandLine(handle).contains("WorkerMain")
                    || commandLine(handle).contains("CoarseGrainedExecutorBackend"))
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

  /** {@code kill -9} of the driver alone; its executors have to notice. */
  public void kill() {
    process.destroyForcibly();
  }

  /** As a service manager does: SIGTERM to the driver alone. */
  public void terminate() {
    process.destroy();
  }

  /** As the terminal does on Ctrl-C: to the driver and to all executors. */
  void signalGroup(String name) throws IOException, InterruptedException {
    String group = "-" + process.pid();
    new ProcessBuilder("kill", "-" + name, "--", group).inheritIO().start().waitFor();
  }

  /**
   * @return the exit code
   * @throws AssertionError if it does not end in time
   */
  public int await(long seconds) throws IOException, InterruptedException {
    if (!process.waitFor(seconds, TimeUnit.SECONDS)) {
      throw new AssertionError("no end after " + seconds + " s:\n" + text());
    }
    return process.exitValue();
  }

  /** Kills what is left of it. */
  @Override
  public void close() {
    process.descendants().forEach(ProcessHandle::destroyForcibly);
    process.destroyForcibly();
  }
}
