package dev.kindling.driver.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.worker.event.report.MetricsLog;
import dev.kindling.worker.store.LocalStorage;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code data: {type: sql}} through the whole command. */
class SqlCommandTest {
  private static final String CONFIG =
      """
      model: {type: llama, width: 32, layers: 1, heads: 4, kv_heads: 2, mlp_width: 64, context: 32}
      data:
        type: sql
        query: "%s"
        views: {docs: %s}
        validation_fraction: 0.3
      optimizer: {type: adamw, lr: 1e-2}
      steps: 2
      sequence_length: 32
      micro_batch: 64
      global_batch: 128
      ranks: 2
      threads: 1
      matmul: java
      spark: {master: "local[2]"}
      """;

  /** Exit code of bad data. */
  private static final int DATA = 3;

  @TempDir private Path folder;
  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();
  private Path parquet = Path.of("");

  @BeforeEach
  void write() throws IOException {
    List<String> lines = new ArrayList<>();
    for (int k = 0; k < 60; k++) {
      String text = "document %d of the words in it; ".formatted(k).repeat(8);
      lines.add("{\"text\": \"%s\", \"n\": %d}".formatted(text, k));
    }
    Path json = Files.write(folder.resolve("docs.jsonl"), lines);
    parquet = folder.resolve("docs");
    try (SparkSession session =
        SparkSession.builder()
            .master("local[2]")
            .config("spark.ui.enabled", "false")
            .getOrCreate()) {
      session.read().json(json.toString()).repartition(3).write().parquet(parquet.toString());
    }
  }

  private Path config(String query) throws IOException {
    String text = CONFIG.formatted(query.replace("PARQUET", parquet.toString()), parquet);
    return Files.writeString(folder.resolve("sql.yaml"), text);
  }

  private int kindling(String... words) {
    out.getBuffer().setLength(0);
    err.getBuffer().setLength(0);
    return Kindling.execute(
        new Bodies(), new PrintWriter(out, true), new PrintWriter(err, true), words);
  }

  private void done(String... words) {
    assertThat(kindling(words)).as("%s\n%s", err, out).isZero();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "SELECT text FROM parquet.`PARQUET` WHERE n >= 20",
        "SELECT text FROM docs WHERE n >= 20"
      })
  void aQueryIsPreparedInspectedAndTrainedOn(String query) throws IOException {
    Path config = config(query);
    done("data", "prepare", config.toString());
    Matcher said = Pattern.compile("prepared set (\\S+)").matcher(out.toString());
    assertThat(said.find()).as(out.toString()).isTrue();
    Path set = Path.of(said.group(1));
    try {
      done("data", "inspect", set.toString());
    } finally {
      // It lies below the working folder, where runs would find it.
      new LocalStorage(set.getParent()).deleteFolder(set.getFileName().toString());
    }
    assertThat(out.toString()).contains("document ");
    Path run = folder.resolve("runs/run");
    for (String launcher : List.of("spark", "threads")) {
      String name = run + "-" + launcher;
      done("train", config.toString(), "--run-dir", name, "--set", "launcher=" + launcher);
      MetricsLog log = MetricsLog.read(Path.of(name, "metrics.jsonl"));
      assertThat(log.byStep()).containsOnlyKeys(1L, 2L);
      assertThat(log.validation()).containsKey(2L);
    }
    // The query is run again: its rows decide whether the set is still the same.
    done("resume", run + "-threads", "--set", "steps=3");
    assertThat(out.toString()).contains("step 3/3");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "SELEKT text FROM docs | data.query: | SELEKT",
        "SELECT text FROM absent | data.query: | absent",
        "SELECT txt FROM docs | data.query: | txt",
        "SELECT text FROM parquet.`PARQUET-no` | data.query: | PARQUET-no",
        "SELECT n FROM docs | data.column: | found [n]",
        "SELECT text FROM docs WHERE n > 99 | data.query: | expected rows, found none",
        "SELECT if(n = 7, raise_error('seven'), text) AS text FROM docs | data.query: | seven",
      })
  void aBadQueryIsOneLineThatNamesItsKey(String query, String key, String found)
      throws IOException {
    Path config = config(query);
    String run = folder.resolve("runs/bad").toString();
    String[] prepare = {"data", "prepare", config.toString(), "--set", "launcher=threads"};
    String[] train = {"train", config.toString(), "--run-dir", run};
    for (String[] words : List.of(prepare, train)) {
      assertThat(kindling(words)).as("%s\n%s", err, out).isEqualTo(DATA);
      List<String> lines =
          err.toString().lines().filter(line -> line.startsWith("kindling: ")).toList();
      assertThat(err.toString().lines().toList()).hasSize(1).isEqualTo(lines);
      assertThat(lines.get(0))
          .startsWith("kindling: " + key)
          .contains(found.replace("PARQUET", parquet.toString()));
    }
  }
}
