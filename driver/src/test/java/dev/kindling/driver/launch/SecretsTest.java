package dev.kindling.driver.launch;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Twelve planted secrets, those that the driver makes itself and the training text are nowhere in
 * what a run writes, shows or puts on command lines, while an executor is killed and another
 * crashes.
 */
@Tag("long")
class SecretsTest {
  private static final String CANARY = "canary%dKq7";
  private static final String MARKER = "Quokka7731";
  private static final long WAIT_SECONDS = 300;

  /** By name as Spark's settings, in the YAML. */
  private static final List<String> SETTINGS =
      List.of(
          "spark.hadoop.fs.s3a.access.key",
          "spark.hadoop.fs.s3a.secret.key",
          "spark.hadoop.fs.s3a.session.token",
          "spark.hadoop.fs.azure.account.key.a.dfs.core.windows.net",
          "spark.hadoop.store.passphrase",
          "spark.executorEnv.DB_PASSWD",
          "spark.hadoop.store.address");

  private static final List<String> PROPERTIES =
      List.of("keystore.password", "spark.ssl.keyPassword");

  private static final List<String> VARIABLES =
      List.of("AWS_SECRET_ACCESS_KEY", "HF_TOKEN", "DATABASE_URL");

  /** What the test itself writes: nothing in it counts. */
  @TempDir Path inputs;

  @TempDir Path written;

  private final Map<String, String> planted = new LinkedHashMap<>();
  private final Haystack hay = new Haystack();
  private int port;

  @BeforeEach
  void plant() throws IOException {
    Stream.of(SETTINGS, PROPERTIES, VARIABLES)
        .flatMap(List::stream)
        .forEach(name -> planted.put(name, CANARY.formatted(planted.size() + 10)));
    assertThat(planted).hasSize(12);
    StringBuilder text = new StringBuilder();
    for (int line = 0; line < 3000; line++) {
      text.append(MARKER).append(" line ").append(line * 7919L % 4001).append(" of a text\n");
    }
    Files.writeString(inputs.resolve("corpus.txt"), text);
    Files.writeString(inputs.resolve("held.txt"), text.toString().replace(MARKER, "Wombat"));
    try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      port = free.getLocalPort();
    }
    Files.writeString(
        inputs.resolve("log.properties"),
        """
        rootLogger.level = info
        rootLogger.appenderRef.stderr.ref = stderr
        appender.stderr.type = Console
        appender.stderr.name = stderr
        appender.stderr.target = SYSTEM_ERR
        appender.stderr.layout.type = PatternLayout
        appender.stderr.layout.pattern = %d %p %c: %m%n%ex
        """);
    // Only the name of a file of options is on the command line.
    List<String> options = new ArrayList<>();
    PROPERTIES.forEach(name -> options.add("-D" + name + "=" + value(name)));
    options.add("-Dlog4j2.configurationFile=" + inputs.resolve("log.properties"));
    options.add("-D" + RecordingRandom.FILE + "=" + inputs.resolve("random"));
    Files.write(inputs.resolve("options"), options);
  }

  private String value(String name) {
    String canary = planted.get(name);
    boolean address = name.equals("DATABASE_URL") || name.endsWith(".address");
    return address ? "https://alice:" + canary + "@store.example/x" : canary;
  }

  private DriverProcess train(String launcher, int steps) throws IOException {
    String settings =
        SETTINGS.stream()
            .map(name -> name + ": \"" + value(name) + "\"")
            .collect(Collectors.joining(", "));
    Files.writeString(
        inputs.resolve("run.yaml"),
        """
        model: {type: llama, width: 32, layers: 2, heads: 2, context: 64}
        data: {type: text, paths: ["%s"], validation_paths: ["%s"]}
        optimizer: {type: adamw, lr: 3e-3}
        steps: %d
        sequence_length: 64
        micro_batch: 512
        global_batch: 4096
        ranks: 2
        threads: 1
        matmul: java
        validation: {every_steps: 40, batches: 2}
        checkpoint: {every_steps: 20}
        launcher: %s
        spark:
          conf: {spark.executor.memory: 512m, spark.executor.extraClassPath: "%s", spark.logConf: "true",
            spark.eventLog.enabled: "true", spark.eventLog.compress: "false", spark.eventLog.dir: "%s",
            spark.ui.enabled: "true", spark.ui.port: "%d", %s}
        """
            .formatted(
                inputs.resolve("corpus.txt"),
                inputs.resolve("held.txt"),
                steps,
                launcher,
                DriverProcess.ownClasses(),
                Files.createDirectories(written.resolve("events")).toUri(),
                port,
                settings));
    Map<String, String> variables = new LinkedHashMap<>();
    VARIABLES.forEach(name -> variables.put(name, value(name)));
    Path working = Files.createDirectories(written.resolve("working"));
    return DriverProcess.startIn(
        working,
        written,
        List.of(
            "@" + inputs.resolve("options"),
            RecordingRandom.class.getName(),
            "train",
            inputs.resolve("run.yaml").toString(),
            "--run-dir",
            run().toString(),
            "--progress",
            "plain"),
        variables);
  }

  private Path run() {
    return written.resolve("runs/run");
  }

  private void awaitStep(DriverProcess driver, int attempt, long step) throws Exception {
    Pattern line = Pattern.compile("\\{\"step\":(\\d+),.*\"attempt\":" + attempt + "\\b");
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(WAIT_SECONDS);
    long newest = 0;
    while (newest < step && System.nanoTime() < deadline && driver.isAlive()) {
      TimeUnit.MILLISECONDS.sleep(20);
      Path metrics = run().resolve("metrics.jsonl");
      if (Files.exists(metrics)) {
        Matcher lines = line.matcher(Files.readString(metrics));
        while (lines.find()) {
          newest = Math.max(newest, Long.parseLong(lines.group(1)));
        }
      }
    }
    assertThat(newest).as(driver.text()).isGreaterThanOrEqualTo(step);
  }

  /** What strangers can see while it runs. */
  private void look(String when, DriverProcess driver, List<String> pages) throws Exception {
    hay.add("command lines " + when, String.join("\n", driver.commandLines()));
    HttpClient client = HttpClient.newBuilder().followRedirects(HttpClient.Redirect.ALWAYS).build();
    for (String page : pages) {
      URI address = URI.create("http://127.0.0.1:" + port + page);
      HttpResponse<String> answer =
          client.send(
              HttpRequest.newBuilder(address).build(), HttpResponse.BodyHandlers.ofString());
      assertThat(answer.statusCode()).as(page).isEqualTo(200);
      hay.add("page " + page + " " + when, answer.body());
      Matcher id = Pattern.compile("\"id\" : \"(app-[^\"]+)\"").matcher(answer.body());
      if (page.equals("/api/v1/applications") && id.find()) {
        String below = page + "/" + id.group(1);
        look(
            when,
            driver,
            List.of(
                below + "/environment", below + "/executors", below + "/jobs", below + "/stages"));
      }
    }
  }

  private static void signal(String name, ProcessHandle process) throws Exception {
    new ProcessBuilder("kill", "-" + name, Long.toString(process.pid())).start().waitFor();
  }

  private List<Path> crashReports() throws IOException {
    try (Stream<Path> walk = Files.walk(written)) {
      return walk.filter(path -> path.toString().matches(".*/hs_err_pid\\d+\\.log")).toList();
    }
  }

  /** All of it, except the one file that is there to hold the secrets. */
  private void assertNothingLeaked() throws IOException {
    Path secrets = run().resolve("secrets.properties");
    assertThat(secrets).content().contains(SETTINGS);
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(secrets)))
        .isEqualTo("rw-------");
    Files.delete(secrets);
    hay.addTree(written);
    planted.forEach((name, canary) -> assertThat(hay.find(canary)).as(name).isEmpty());
    List<String> made = Files.readAllLines(inputs.resolve("random"), StandardCharsets.UTF_8);
    assertThat(made).as("job secrets").isNotEmpty();
    for (String secret : made) {
      assertThat(hay.find(HexFormat.of().parseHex(secret))).as("made by the driver").isEmpty();
    }
    assertThat(hay.find(MARKER))
        .as("the training text, outside the prepared set")
        .allMatch(name -> name.contains("/runs/prepared/"));
  }

  @Test
  void sparkShowsNoneThroughAKillAndACrash() throws Exception {
    List<String> pages =
        List.of(
            "/environment/",
            "/executors/",
            "/jobs/",
            "/stages/",
            "/metrics/json/",
            "/api/v1/applications");
    try (DriverProcess driver = train("spark", 60)) {
      awaitStep(driver, 1, 10);
      look("in attempt 1", driver, pages);
      signal("KILL", driver.executors().get(0));
      awaitStep(driver, 2, 30);
      look("in attempt 2", driver, pages);
      signal("SEGV", driver.executors().get(1));
      awaitStep(driver, 3, 45);
      assertThat(driver.await(WAIT_SECONDS)).as(driver.text()).isZero();
      assertThat(driver.text()).contains("attempt 2 failed, trying again");
    }
    assertThat(crashReports()).isNotEmpty();
    assertNothingLeaked();
    assertThat(hay.names())
        .as("places that were looked at")
        .anyMatch(name -> name.contains("/events/"))
        .anyMatch(name -> name.endsWith("/stderr"))
        .anyMatch(name -> name.endsWith("/metrics.jsonl"))
        .anyMatch(name -> name.endsWith("/report.html"))
        .anyMatch(name -> name.endsWith("/logs/rank-1.log"))
        .anyMatch(name -> name.contains(".tfevents."))
        .anyMatch(name -> name.contains("/checkpoints/"))
        .anyMatch(name -> name.endsWith("/environment in attempt 1"));
    assertThat(hay.find("(redacted)")).anyMatch(name -> name.endsWith("/config.yaml"));
    assertThat(hay.find("redacted)")).anyMatch(name -> name.contains("/events/"));
    assertThat(hay.find("INFO BarrierTaskContext: Task"))
        .as("what an executor logged")
        .anyMatch(name -> name.contains("/logs/rank-"));
  }

  @Test
  void plainWorkersShowNoneAndTheirCrashReportIsTheirOwners() throws Exception {
    try (DriverProcess driver = train("processes", 40)) {
      awaitStep(driver, 1, 10);
      look("in attempt 1", driver, List.of());
      signal("SEGV", driver.children("WorkerMain").get(0));
      assertThat(driver.await(WAIT_SECONDS)).as(driver.text()).isZero();
    }
    assertThat(crashReports())
        .isNotEmpty()
        .allSatisfy(
            report ->
                assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(report)))
                    .isEqualTo("rw-------"));
    assertNothingLeaked();
    // What the JVM says when it crashes.
    assertThat(hay.find("A fatal error has been detected"))
        .anyMatch(name -> name.contains("/logs/rank-"));
  }
}
