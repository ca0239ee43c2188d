package dev.kindling.driver.launch;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * The embedded launcher as real processes: a driver JVM and one executor JVM per rank in a process
 * group of their own, which gets the signals.
 */
@Tag("long")
class ProcessSignalsTest {
  private static final int RANKS = 2;
  private static final long START_SECONDS = 120;

  @TempDir Path folder;
  private Path output;
  private Process driver;

  @BeforeEach
  void start() throws IOException {
    List<String> entries =
        List.of(System.getProperty("java.class.path").split(File.pathSeparator, -1));
    List<String> ours = new ArrayList<>();
    Path jars = Files.createDirectories(folder.resolve("spark/jars"));
    Files.createDirectories(folder.resolve("spark/conf"));
    for (String entry : entries) {
      Path path = Path.of(entry).toAbsolutePath();
      if (Files.isRegularFile(path)) {
        Files.createSymbolicLink(jars.resolve(path.getFileName()), path);
      } else {
        ours.add(path.toString());
      }
    }
    String own = String.join(File.pathSeparator, ours);
    List<String> command = new ArrayList<>(List.of("setsid", "--wait"));
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
        .filter(option -> option.startsWith("--add-"))
        .forEach(command::add);
    command.addAll(List.of("-cp", jars + "/*" + File.pathSeparator + own));
    command.add(LaunchProbe.class.getName());
    command.addAll(List.of(folder.toString(), String.valueOf(RANKS), own, "60"));
    output = folder.resolve("output");
    ProcessBuilder builder =
        new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(output.toFile());
    builder
        .environment()
        .putAll(
            Map.of(
                "SPARK_HOME", folder.resolve("spark").toString(),
                "SPARK_SCALA_VERSION", "2.13",
                "SPARK_LOCAL_IP", "127.0.0.1"));
    driver = builder.start();
  }

  @AfterEach
  void nothingIsLeft() {
    driver.descendants().forEach(ProcessHandle::destroyForcibly);
    driver.destroyForcibly();
  }

  private String text() throws IOException {
    return Files.exists(output) ? Files.readString(output, StandardCharsets.UTF_8) : "";
  }

  /** Process id of the rank, from its first words in this attempt. */
  private long pidOf(int rank, int attempt) throws IOException, InterruptedException {
    Pattern words =
        Pattern.compile("attempt " + attempt + "\\R[\\s\\S]*rank " + rank + " pid (\\d+)");
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(START_SECONDS);
    while (System.nanoTime() < deadline && driver.isAlive()) {
      Matcher matcher = words.matcher(text());
      if (matcher.find()) {
        return Long.parseLong(matcher.group(1));
      }
      TimeUnit.MILLISECONDS.sleep(100);
    }
    throw new AssertionError("rank " + rank + " never started:\n" + text());
  }

  private void signalGroup(String name) throws IOException, InterruptedException {
    long leader = driver.children().findFirst().map(ProcessHandle::pid).orElse(driver.pid());
    new ProcessBuilder("kill", "-" + name, "--", "-" + leader).inheritIO().start().waitFor();
  }

  @ParameterizedTest
  @CsvSource({"INT, 130", "TERM, 143"})
  void aSignalToTheWholeGroupLetsEveryRankSave(String signal, int code) throws Exception {
    pidOf(0, 1);
    pidOf(1, 1);
    signalGroup(signal);
    assertThat(driver.waitFor(30, TimeUnit.SECONDS)).as(text()).isTrue();
    assertThat(driver.exitValue()).as(text()).isEqualTo(code);
    for (int rank = 0; rank < RANKS; rank++) {
      assertThat(Files.readString(folder.resolve("saved-" + rank))).matches("\\d+");
    }
  }

  @Test
  void aKilledExecutorIsTheReasonAndTheNextAttemptRuns() throws Exception {
    pidOf(0, 1);
    long pid = pidOf(1, 1);
    ProcessHandle.of(pid).orElseThrow().destroyForcibly();
    assertThat(pidOf(1, 2)).isNotEqualTo(pid);
    pidOf(0, 2);
    assertThat(text())
        .contains("failed COMMUNICATION rank 1: its worker died")
        .contains("pid " + pid)
        .contains("| rank 1 counts")
        .doesNotContain("| Spark Executor Command");
    signalGroup("INT");
    assertThat(driver.waitFor(30, TimeUnit.SECONDS)).as(text()).isTrue();
    assertThat(driver.exitValue()).isEqualTo(130);
  }
}
