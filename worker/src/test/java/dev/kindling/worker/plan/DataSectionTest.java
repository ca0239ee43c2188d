package dev.kindling.worker.plan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.configs.yaml.ConfigDocument;
import dev.kindling.worker.data.BadLines;
import dev.kindling.worker.data.Chat;
import dev.kindling.worker.data.DataSpec;
import dev.kindling.worker.data.Jsonl;
import dev.kindling.worker.data.Mixture;
import dev.kindling.worker.data.MixturePart;
import dev.kindling.worker.data.Sql;
import dev.kindling.worker.data.SqlRows;
import dev.kindling.worker.data.TooLong;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class DataSectionTest {
  private static DataSpec read(String data) {
    String rest =
        """
        model: {type: llama, width: 32, layers: 2, heads: 2, context: 32}
        optimizer: {type: adamw, lr: 0.003}
        steps: 5
        sequence_length: 32
        micro_batch: 64
        global_batch: 64
        data: %s
        """;
    ConfigDocument document = ConfigDocument.parse(String.format(rest, data), "data.yaml");
    TrainPlan plan = PlanReader.read(document, List.of()).value();
    assertThat(PlanReader.fromYaml(PlanReader.toYaml(plan))).isEqualTo(plan);
    return plan.data();
  }

  @Test
  void defaultsArePinned() {
    List<String> paths = List.of("c.jsonl");
    Chat chat = new Chat(paths, Optional.empty(), TooLong.DROP, BadLines.FAIL, List.of(), 0);
    assertThat(read("{type: chat, paths: [c.jsonl]}")).isEqualTo(chat);
    assertThat(chat.maskDocuments()).isTrue();
    Jsonl jsonl = new Jsonl(paths, "text", List.of(), 0, false, BadLines.FAIL);
    assertThat(read("{type: jsonl, paths: [c.jsonl]}")).isEqualTo(jsonl);
    Sql sql =
        new Sql(
            "SELECT 1",
            Map.of(),
            SqlRows.TEXT,
            "text",
            true,
            false,
            Optional.empty(),
            TooLong.DROP,
            BadLines.FAIL,
            0);
    assertThat(read("{type: sql, query: SELECT 1}")).isEqualTo(sql);
  }

  @Test
  void queriesAndMixturesAreRead() {
    Sql sql =
        (Sql) read("{type: sql, query: SELECT * FROM t, views: {t: a/b.parquet}, rows: chat}");
    assertThat(sql.views()).isEqualTo(Map.of("t", "a/b.parquet"));
    assertThat(sql.maskDocuments()).isTrue();
    assertThat(sql.over("f")).isInstanceOf(Chat.class);
    Mixture mixture =
        (Mixture)
            read(
                "{type: mixture, parts: [{weight: 0.7, data: {type: text, paths: [a],"
                    + " mask_documents: true}}, {weight: 3, data: {type: chat, paths: [b],"
                    + " bad_lines: skip, too_long: cut}}]}");
    assertThat(mixture.parts()).extracting(MixturePart::weight).containsExactly(0.7, 3.0);
    assertThat(((Chat) mixture.parts().get(1).data()).badLines()).isEqualTo(BadLines.SKIP);
    assertThat(mixture.maskDocuments()).isTrue();
  }

  @Test
  void whatIsWrongIsNamedWithItsKey() {
    assertThatThrownBy(() -> read("{type: mixture, parts: []}"))
        .hasMessageContaining("data.parts: expected 1 to 500 parts");
    assertThatThrownBy(
            () -> read("{type: mixture, parts: [{weight: 0, data: {type: text, paths: [a]}}]}"))
        .hasMessageContaining("weight: expected a number above 0");
    assertThatThrownBy(() -> read("{type: chat, paths: [c], bad_lines: ignore}"))
        .hasMessageContaining("bad_lines");
    assertThatThrownBy(() -> read("{type: sql, query: ''}")).hasMessageContaining("a query");
  }
}
