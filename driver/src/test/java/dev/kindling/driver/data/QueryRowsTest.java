package dev.kindling.driver.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.driver.store.GoneFiles;
import dev.kindling.worker.data.BadLines;
import dev.kindling.worker.data.Bytes;
import dev.kindling.worker.data.DataException;
import dev.kindling.worker.data.Mixture;
import dev.kindling.worker.data.MixturePart;
import dev.kindling.worker.data.SequenceReader;
import dev.kindling.worker.data.SplitName;
import dev.kindling.worker.data.Sql;
import dev.kindling.worker.data.SqlRows;
import dev.kindling.worker.data.Text;
import dev.kindling.worker.data.TokenShards;
import dev.kindling.worker.data.TooLong;
import dev.kindling.worker.data.WorkPool;
import dev.kindling.worker.store.OutageException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.stream.Stream;
import org.apache.spark.SparkException;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

class QueryRowsTest {
  private static final long SEED = Long.getLong("seed", 9L);

  @RegisterExtension
  static final LocalSpark SPARK =
      new LocalSpark(
          Map.of(
              "spark.sql.shuffle.partitions",
              "3",
              "spark.hadoop.fs.gone.impl",
              GoneFiles.class.getName()));

  @TempDir Path folder;

  private static Sql sql(String query, Map<String, String> views, SqlRows rows) {
    return new Sql(
        query,
        views,
        rows,
        "text",
        true,
        false,
        Optional.of("chatml"),
        TooLong.DROP,
        BadLines.FAIL,
        0);
  }

  private TokenShards prepare(Sql sql, String root) {
    WorkPool pool = WorkPool.sequential(WorkPool.Progress.silent());
    return QueryRows.prepareBelow(
        SPARK.context(), sql, new Bytes(), 16, folder.resolve(root), pool);
  }

  private static String text(TokenShards shards) {
    StringBuilder text = new StringBuilder();
    int[] tokens = new int[17];
    try (SequenceReader reader = SequenceReader.open(shards, SplitName.TRAIN)) {
      for (long k = 0; k < reader.sequences(); k++) {
        reader.read(k, tokens);
        for (int i = k == 0 ? 0 : 1; i < 17; i++) {
          text.append((char) tokens[i]);
        }
      }
    }
    return text.toString();
  }

  @Test
  void parquetIsFilteredDeduplicatedAndInAnOrderOfItsContent() throws IOException {
    SparkSession session = SparkSession.builder().config(SPARK.context().getConf()).getOrCreate();
    List<String> lines = new ArrayList<>();
    for (int k = 0; k < 60; k++) {
      lines.add("{\"text\": \"document " + k % 40 + " é\", \"n\": " + k % 40 + "}");
    }
    String query = "SELECT text FROM docs WHERE n >= 10";
    List<String> shown = new ArrayList<>();
    List<Path> sets = new ArrayList<>();
    for (int trial = 0; trial < 2; trial++) {
      Collections.shuffle(lines, new Random(SEED + trial));
      Path json = Files.write(folder.resolve("docs" + trial + ".jsonl"), lines);
      String parquet = folder.resolve("docs" + trial).toString();
      session.read().json(json.toString()).repartition(1 + 4 * trial).write().parquet(parquet);
      TokenShards shards = prepare(sql(query, Map.of("docs", parquet), SqlRows.TEXT), "root");
      shown.add(text(shards));
      sets.add(shards.folder());
      assertThat(shards.part(SplitName.TRAIN).documents()).isEqualTo(30);
    }
    assertThat(shown.get(1)).isEqualTo(shown.get(0)).contains("document 10 ", "document 39 ");
    assertThat(shown.get(0)).doesNotContain("document 9 ").doesNotContain("document 1 ");
    assertThat(sets.get(1)).isEqualTo(sets.get(0));
    try (Stream<Path> left = Files.list(folder.resolve("root"))) {
      assertThat(left).as("the rows are gone").containsExactly(sets.get(0));
    }
  }

  @Test
  void conversationsAndPairsComeFromColumns() throws IOException {
    Path json =
        Files.writeString(
            folder.resolve("chat.jsonl"),
            "{\"messages\": [{\"role\": \"user\", \"content\": \"u\"}, {\"role\": \"assistant\","
                + " \"content\": \"a\"}], \"q\": \"2+2=\", \"a\": \"4\"}\n");
    Map<String, String> views = Map.of("chats", json.toString());
    WorkPool pool = WorkPool.sequential(WorkPool.Progress.silent());
    Sql messages = sql("SELECT messages FROM chats", views, SqlRows.CHAT);
    TokenShards chats =
        QueryRows.prepareBelow(
            SPARK.context(), messages, new Bytes(), 80, folder.resolve("chats"), pool);
    assertThat(chats.manifest().examples()).isTrue();
    assertThat(chats.part(SplitName.TRAIN).documents()).isEqualTo(1);
    Sql pairs = sql("SELECT q AS prompt, a AS completion FROM chats", views, SqlRows.CHAT);
    assertThat(text(prepare(pairs, "pairs"))).startsWith("2+2=4\0");
    Path words = Files.writeString(folder.resolve("words.txt"), "sixteen letters or more");
    Text text = new Text(List.of(words.toString()), List.of(), 0, true);
    Mixture mixture = new Mixture(List.of(new MixturePart(1, pairs), new MixturePart(1, text)));
    assertThat(QueryRows.needed(mixture)).isTrue();
    TokenShards mixed =
        QueryRows.prepareBelow(
            SPARK.context(), mixture, new Bytes(), 16, folder.resolve("mixed"), pool);
    assertThat(mixed.manifest().mixture()).hasSize(2);
    assertThat(text(mixed)).startsWith("2+2=4\0").contains("ixteen letters o");
  }

  @Test
  void aStoreThatCannotBeReachedIsNoFaultOfTheData() throws Exception {
    Path json = Files.writeString(folder.resolve("t.json"), "{\"text\": \"x\"}\n");
    for (String path : List.of("gone://" + json, "gone://" + folder + "/hidden.json")) {
      Sql sql = sql("SELECT text FROM t", Map.of("t", path), SqlRows.TEXT);
      assertThatThrownBy(() -> prepare(sql, "root"))
          .as(path)
          .isInstanceOf(OutageException.class)
          .hasMessageStartingWith("data.query: the Spark job failed: ")
          .hasMessageContaining(path.contains("hidden") ? "refused" : "no answer");
    }
    Sql absent =
        sql("SELECT text FROM t", Map.of("t", "gone://" + folder + "/no.json"), SqlRows.TEXT);
    expectFault(absent, "no.json");
    SparkException lost = new SparkException("Job 3 cancelled because SparkContext was shut down");
    assertThat(QueryRows.fault(lost)).isInstanceOf(OutageException.class);
    SparkException aborted =
        new SparkException(
            "Job aborted due to stage failure: Task 0 in stage 1.0 failed 4 times, most recent"
                + " failure: Lost task 0.3 in stage 1.0: ExecutorLostFailure (executor 1 exited)");
    assertThat(QueryRows.fault(aborted)).isInstanceOf(OutageException.class);
    assertThat(
            QueryRows.fault(
                new SparkException(
                    "Job aborted due to stage failure: Total size of results is bigger")))
        .isInstanceOf(DataException.class);
    assertThat(
            QueryRows.fault(new SparkException("[X] bad", new IOException("not a Parquet file"))))
        .isInstanceOf(DataException.class)
        .hasMessage("data.query: not a Parquet file");
  }

  @Test
  void whatIsWrongWithAQueryIsSaidInOneLine() throws IOException {
    Path json = Files.writeString(folder.resolve("t.json"), "{\"text\": \"x\"}\n{\"other\": 1}\n");
    Map<String, String> views = Map.of("t", json.toString());
    expectFault(sql("SELEKT 1", views, SqlRows.TEXT), "data.query: ");
    expectFault(sql("SELECT * FROM absent", views, SqlRows.TEXT), "absent");
    expectFault(
        sql("SELECT other FROM t", views, SqlRows.TEXT),
        "data.column: expected \"text\" in the query, found [other]");
    expectFault(sql("SELECT text FROM t", views, SqlRows.CHAT), "expected columns \"messages\" or");
    expectFault(sql("SELECT text FROM t WHERE false", views, SqlRows.TEXT), "expected rows");
    expectFault(sql("SELECT text FROM t", views, SqlRows.TEXT), "found members []");
    expectFault(
        sql("SELECT 1", Map.of("t", folder.resolve("no").toString()), SqlRows.TEXT), "data.query");
  }

  private void expectFault(Sql sql, String message) {
    assertThatThrownBy(() -> prepare(sql, "bad"))
        .isInstanceOf(DataException.class)
        .hasMessageContaining(message);
  }
}
