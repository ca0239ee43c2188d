package dev.kindling.driver.store;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.driver.Main;
import dev.kindling.driver.launch.DriverProcess;
import dev.kindling.worker.event.report.MetricsLog;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.apache.hadoop.hdfs.MiniDFSCluster;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/**
 * Training while its store is slow, hangs or loses its nodes: the steps go on and change no bit,
 * the save is marked failed, the last good generations stay, and saves work again afterwards.
 */
@Tag("long")
class StoreTroubleTest {
  @RegisterExtension static final SmallHdfs HDFS = new SmallHdfs();

  /** Far above what is needed: test machines are shared. */
  private static final long END_SECONDS = 300;

  private static final long POLL_MILLIS = 50;
  private static final int TERMINATED = 143;

  /** Steps that are compared with those of a run without trouble. */
  private static final int COMPARED = 60;

  @TempDir static Path folder;

  private static Map<Long, Double> calm = Map.of();

  @BeforeAll
  static void calmRun() throws Exception {
    Files.writeString(folder.resolve("corpus.txt"), "a text that repeats itself\n".repeat(3000));
    Path run = folder.resolve("calm");
    try (DriverProcess driver = train(run.toString(), "steps=" + COMPARED)) {
      end(driver, 0);
    }
    calm = losses(run.resolve("metrics.jsonl"));
    assertThat(calm).hasSize(COMPARED);
  }

  @AfterEach
  void noTrouble() throws IOException {
    Files.deleteIfExists(folder.resolve(TroubledFiles.DELAY));
    Files.deleteIfExists(folder.resolve(TroubledFiles.HANG));
  }

  private static DriverProcess train(String run, String... sets) throws IOException {
    String text =
        """
        model: {type: llama, width: 64, layers: 2, heads: 4, context: 128}
        data: {type: text, paths: ["%s"]}
        optimizer: {type: adamw, lr: 3e-3}
        schedule: {type: constant}
        steps: 1000000
        sequence_length: 128
        micro_batch: 1024
        global_batch: 2048
        ranks: 2
        threads: 1
        matmul: java
        checkpoint: {every_steps: 20, timeout: 20s}
        log: {every_steps: 1}
        launcher: threads
        spark:
          conf:
            spark.hadoop.fs.troubled.impl: %s
            spark.hadoop.%s: "%s"
            spark.hadoop.%s: "true"
        """
            .formatted(
                folder.resolve("corpus.txt"),
                TroubledFiles.class.getName(),
                TroubledFiles.CONTROL,
                folder,
                CommitRule.VOUCHED);
    String config = Files.writeString(folder.resolve("trouble.yaml"), text).toString();
    List<String> words = new ArrayList<>(List.of(Main.class.getName(), "train", config));
    words.addAll(List.of("--run-dir", run, "--progress", "plain"));
    for (String set : sets) {
      words.addAll(List.of("--set", set));
    }
    return DriverProcess.startIn(folder, folder, words);
  }

  private static void end(DriverProcess driver, int code) throws Exception {
    assertThat(driver.await(END_SECONDS)).as(driver.text()).isEqualTo(code);
  }

  private static Map<Long, Double> losses(Path metrics) throws IOException {
    Map<Long, Double> losses = new TreeMap<>();
    MetricsLog.read(metrics)
        .byStep()
        .forEach((step, line) -> losses.put(step, MetricsLog.number(line, "loss")));
    return losses;
  }

  private static void assertAsCalm(Path metrics) throws IOException {
    Map<Long, Double> first = new TreeMap<>(losses(metrics));
    first.keySet().removeIf(step -> step > COMPARED);
    assertThat(first).isEqualTo(calm);
  }

  private interface Condition {
    boolean holds() throws IOException;
  }

  private static void await(String what, DriverProcess driver, Condition condition)
      throws Exception {
    long limit = System.nanoTime() + TimeUnit.SECONDS.toNanos(END_SECONDS);
    while (!condition.holds()) {
      assertThat(driver.isAlive()).as("%s, and the run ended: %s", what, driver.text()).isTrue();
      assertThat(System.nanoTime()).as("%s: %s", what, driver.text()).isLessThan(limit);
      TimeUnit.MILLISECONDS.sleep(POLL_MILLIS);
    }
  }

  /** The last step that the driver told of. */
  private static long lastStep(DriverProcess driver) throws IOException {
    return driver
        .text()
        .lines()
        .filter(line -> line.matches("step \\d+/.*"))
        .mapToLong(line -> Long.parseLong(line.replaceFirst("step (\\d+)/.*", "$1")))
        .max()
        .orElse(0);
  }

  private static List<String> commits(Path run) throws IOException {
    try (var files = Files.list(run.resolve("checkpoints/commits"))) {
      return files
          .map(file -> String.valueOf(file.getFileName()))
          .filter(name -> name.startsWith("e"))
          .sorted()
          .toList();
    } catch (java.nio.file.NoSuchFileException none) {
      return List.of();
    }
  }

  private static String last(List<String> commits) {
    return commits.isEmpty() ? "" : commits.get(commits.size() - 1);
  }

  private static void stop(DriverProcess driver) throws Exception {
    driver.terminate();
    end(driver, TERMINATED);
  }

  @Test
  void aStoreThatTakes200MillisForEveryOperationIsBorne() throws Exception {
    Files.writeString(folder.resolve(TroubledFiles.DELAY), "200");
    Path run = folder.resolve("slow");
    try (DriverProcess driver = train("troubled://" + run, "steps=" + COMPARED)) {
      end(driver, 0);
      assertThat(driver.text()).doesNotContain("no checkpoint");
    }
    assertAsCalm(run.resolve("metrics.jsonl"));
    assertThat(last(commits(run))).contains(String.format("s%012d", COMPARED));
  }

  @Test
  void aStoreThatHangsFor60SecondsCostsTheSavesOfThatTime() throws Exception {
    Path run = folder.resolve("hung");
    try (DriverProcess driver = train("troubled://" + run)) {
      await("a save", driver, () -> !commits(run).isEmpty());
      Path hang = Files.writeString(folder.resolve(TroubledFiles.HANG), "");
      List<String> good = commits(run);
      long began = lastStep(driver);
      TimeUnit.SECONDS.sleep(60);
      await("steps meanwhile", driver, () -> lastStep(driver) - began > 20);
      await(
          "a failed save",
          driver,
          () ->
              driver.text().contains(": no checkpoint: ")
                  && driver.text().contains("no answer for"));
      assertThat(commits(run)).containsAll(good);
      Files.delete(hang);
      String before = last(commits(run));
      await("a save afterwards", driver, () -> last(commits(run)).compareTo(before) > 0);
      stop(driver);
    }
    assertAsCalm(run.resolve("metrics.jsonl"));
  }

  private static List<String> commitsThere(String run) throws IOException {
    List<String> found = new ArrayList<>();
    org.apache.hadoop.fs.Path commits = new org.apache.hadoop.fs.Path(run, "checkpoints/commits");
    if (HDFS.files().exists(commits)) {
      for (var status : HDFS.files().listStatus(commits)) {
        found.add(status.getPath().getName());
      }
    }
    return found.stream().filter(name -> name.startsWith("e")).sorted().toList();
  }

  /** First one node goes, which nobody notices, then the other. */
  @Test
  void dataNodesThatGoCostSavesAtMostAndTheLastOnlyWhileItIsGone() throws Exception {
    String run = HDFS.files().makeQualified(SmallHdfs.freshRoot()).toString();
    List<MiniDFSCluster.DataNodeProperties> gone = new ArrayList<>();
    try (DriverProcess driver = train(run)) {
      await("a save", driver, () -> !commitsThere(run).isEmpty());
      gone.add(HDFS.cluster().stopDataNode(0));
      String first = last(commitsThere(run));
      await(
          "saves on one node",
          driver,
          () -> commitsThere(run).size() > 1 && last(commitsThere(run)).compareTo(first) > 0);
      assertThat(driver.text()).doesNotContain("no checkpoint");
      gone.add(HDFS.cluster().stopDataNode(0));
      await("a failed save", driver, () -> driver.text().contains(": no checkpoint: "));
      List<String> good = commitsThere(run);
      assertThat(good).hasSizeGreaterThanOrEqualTo(2);
      long began = lastStep(driver);
      await("steps meanwhile", driver, () -> lastStep(driver) > began + 20);
      assertThat(commitsThere(run)).containsAll(good);
      restart(gone);
      await("a save", driver, () -> last(commitsThere(run)).compareTo(last(good)) > 0);
      stop(driver);
    } finally {
      restart(gone);
    }
    Path metrics = folder.resolve("fetched.jsonl");
    HDFS.files()
        .copyToLocalFile(
            false,
            new org.apache.hadoop.fs.Path(run, "metrics.jsonl"),
            new org.apache.hadoop.fs.Path(metrics.toString()),
            true);
    assertAsCalm(metrics);
  }

  private static void restart(List<MiniDFSCluster.DataNodeProperties> gone) throws IOException {
    for (MiniDFSCluster.DataNodeProperties node : gone) {
      HDFS.cluster().restartDataNode(node, true);
    }
    gone.clear();
    HDFS.cluster().waitActive();
  }
}
