package dev.kindling.driver.experiment;

import dev.kindling.driver.Main;
import dev.kindling.driver.launch.StopSwitch;
import java.io.File;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;

/**
 * Runs as child JVMs with this JVM's own options, class path and Spark settings, whether it was
 * started by {@code bin/kindling} or by {@code spark-submit}. The options travel in a file that
 * only the owner can read: Spark settings may hold secrets, and a command line is public.
 */
public final class ChildStarter implements RunStarter {
  private static final long POLL_MILLIS = 100;
  private static final int TERMINATED = 143;

  private final Path logs;
  private final StopSwitch stop;

  /**
   * @param logs folder for one log file per run
   * @param stop after SIGTERM every child gets one too and ends by itself; Ctrl-C reaches the whole
   *     process group, and a second signal would end a child at once
   */
  public ChildStarter(Path logs, StopSwitch stop) {
    this.logs = logs;
    this.stop = stop;
  }

  @Override
  public int run(String runName, List<String> command, String gpus)
      throws IOException, InterruptedException {
    Files.createDirectories(logs);
    // Inside the experiment, so that a killed parent leaves nothing behind that the next call does
    // not replace.
    Path options = logs.resolve(runName + ".options");
    Files.deleteIfExists(options);
    Files.createFile(
        options,
        PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
    try {
      Files.writeString(options, String.join("\n", quoted(jvmOptions())), StandardCharsets.UTF_8);
      List<String> words = new ArrayList<>();
      words.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
      words.add("@" + options);
      words.add(ChildRun.class.getName());
      words.addAll(command);
      ProcessBuilder child =
          new ProcessBuilder(words)
              .redirectErrorStream(true)
              .redirectOutput(
                  ProcessBuilder.Redirect.appendTo(logs.resolve(runName + ".log").toFile()));
      if (!gpus.isEmpty()) {
        child.environment().put("CUDA_VISIBLE_DEVICES", gpus);
      }
      return await(child.start());
    } finally {
      Files.deleteIfExists(options);
    }
  }

  private int await(Process process) throws InterruptedException {
    boolean asked = false;
    try {
      while (!process.waitFor(POLL_MILLIS, TimeUnit.MILLISECONDS)) {
        if (!asked && stop.exitCode() == TERMINATED) {
          asked = true;
          process.destroy();
        }
      }
      return process.exitValue();
    } finally {
      process.destroyForcibly();
    }
  }

  private static List<String> jvmOptions() throws IOException {
    List<String> options =
        new ArrayList<>(ManagementFactory.getRuntimeMXBean().getInputArguments());
    for (String name : new TreeSet<>(System.getProperties().stringPropertyNames())) {
      String definition = "-D" + name + "=" + System.getProperty(name);
      if (name.startsWith("spark.") && !options.contains(definition)) {
        options.add(definition);
      }
    }
    options.add("-cp");
    options.add(System.getProperty("java.class.path") + File.pathSeparator + ownJar());
    return options;
  }

  /**
   * Under spark-submit the application jar is not on the class path of the JVM but behind Spark's
   * own loader.
   */
  private static String ownJar() throws IOException {
    try {
      return Path.of(Main.class.getProtectionDomain().getCodeSource().getLocation().toURI())
          .toString();
    } catch (URISyntaxException strange) {
      throw new IOException("the application jar has no path", strange);
    }
  }

  private static List<String> quoted(List<String> options) {
    return options.stream()
        .map(o -> "\"" + o.replace("\\", "\\\\").replace("\"", "\\\"") + "\"")
        .toList();
  }
}
