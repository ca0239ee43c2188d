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
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** Whole runs whose folder is on HDFS. */
class HdfsRunTest {
  @RegisterExtension static final SmallHdfs HDFS = new SmallHdfs();

  /** Far above what is needed: test machines are shared. */
  private static final long END_SECONDS = 180;

  @TempDir private Path folder;

  private String run = "";

  @BeforeEach
  void corpus() throws IOException {
    Files.writeString(folder.resolve("corpus.txt"), "a text that repeats itself\n".repeat(2000));
    run = HDFS.files().makeQualified(SmallHdfs.freshRoot()).toString();
  }

  private String config(String launcher) throws IOException {
    String text =
        """
        model: {type: llama, width: 32, layers: 1, heads: 2, context: 64}
        data: {type: text, paths: ["%s"]}
        optimizer: {type: adamw, lr: 3e-3}
        schedule: {type: constant}
        steps: 10
        sequence_length: 64
        micro_batch: 512
        global_batch: 1024
        ranks: 2
        threads: 1
        matmul: java
        checkpoint: {every_steps: 4}
        log: {every_steps: 1}
        launcher: %s
        spark: {conf: {spark.executor.memory: 512m, spark.executor.extraClassPath: "%s"}}
        """
            .formatted(folder.resolve("corpus.txt"), launcher, DriverProcess.ownClasses());
    return Files.writeString(folder.resolve(launcher + ".yaml"), text).toString();
  }

  private String kindling(int code, String... words) throws Exception {
    List<String> all = new ArrayList<>(List.of(Main.class.getName()));
    all.addAll(List.of(words));
    try (DriverProcess driver = DriverProcess.startIn(folder, folder, all)) {
      assertThat(driver.await(END_SECONDS)).as(driver.text()).isEqualTo(code);
      return driver.text();
    }
  }

  private static Map<Long, Double> losses(Path metrics) throws IOException {
    Map<Long, Double> losses = new TreeMap<>();
    MetricsLog.read(metrics)
        .byStep()
        .forEach((step, line) -> losses.put(step, MetricsLog.number(line, "loss")));
    return losses;
  }

  private Path fetched(String name) throws IOException {
    Path copy = folder.resolve("fetched-" + name.replace('/', '-'));
    HDFS.files()
        .copyToLocalFile(
            false,
            new org.apache.hadoop.fs.Path(run, name),
            new org.apache.hadoop.fs.Path(copy.toString()),
            true);
    return copy;
  }

  @Test
  void aRunIsTrainedResumedAndExportedThereAsOnALocalFolder() throws Exception {
    String config = config("threads");
    Path local = folder.resolve("local");
    kindling(0, "train", config, "--run-dir", local.toString());
    String first = kindling(0, "train", config, "--set", "steps=6", "--run-dir", run);
    assertThat(first).contains("run folder " + run, "sample after step 6");
    assertThat(losses(fetched("metrics.jsonl"))).hasSize(6);
    assertThat(kindling(2, "train", config, "--run-dir", run))
        .contains(run + " already holds a run (checkpoints); go on with: kindling resume " + run);
    kindling(0, "resume", run, "--set", "steps=10");
    assertThat(losses(fetched("metrics.jsonl"))).isEqualTo(losses(local.resolve("metrics.jsonl")));
    assertThat(fetched("config.yaml")).content().contains("steps: 10");
    assertThat(fetched("logs/rank-1.log"))
        .content()
        .contains(" attempt 1 INFO phase rendezvous, step 0", " attempt 2 INFO phase train, step");
    assertThat(kindling(0, "logs", run, "--rank", "1")).contains(" attempt 2 INFO phase done");
    kindling(0, "export", run, "--to", folder.resolve("model").toString());
    assertThat(folder.resolve("model/model.safetensors")).exists();
    assertThat(folder.resolve("hdfs:")).as("nothing beside").doesNotExist();
  }

  @Test
  @Tag("long")
  void executorsOfSparkSaveAndRestoreThere() throws Exception {
    String config = config("spark");
    kindling(0, "train", config, "--set", "steps=6", "--run-dir", run);
    kindling(0, "resume", run, "--set", "steps=10");
    Path local = folder.resolve("local");
    kindling(0, "train", config, "--run-dir", local.toString());
    assertThat(losses(fetched("metrics.jsonl"))).isEqualTo(losses(local.resolve("metrics.jsonl")));
  }
}
