package dev.kindling.driver.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.configs.yaml.ConfigDocument;
import dev.kindling.worker.plan.PlanReader;
import java.util.List;
import org.junit.jupiter.api.Test;

class ExplainPageTest {
  private static final String CONFIG =
      """
      model: {type: llama, width: 64, layers: 2, heads: 4}
      data: {type: text, paths: [corpus]}
      optimizer: {type: adamw, lr: 1e-3}
      steps: 10
      sequence_length: 32
      micro_batch: 64
      global_batch: 256
      """;

  private static String page(String... sets) {
    return new ExplainPage(PlanReader.read(ConfigDocument.parse(CONFIG, "x.yaml"), List.of(sets)))
        .text();
  }

  @Test
  void oneRankSendsNothing() {
    assertThat(page())
        .containsPattern("mesh.zero +0 +default\n")
        .containsPattern("parameter +[1-9]")
        .containsPattern("AllReduce +[1-9][0-9,]* +bytes handed in by a rank, 1 calls\n")
        .containsPattern("bytes sent +0 +per rank, over 1 ranks\n")
        .doesNotContainPattern("\n +working ")
        .doesNotContain("ReduceScatter");
  }

  @Test
  void shardingShowsInMemoryPassesAndTraffic() {
    String two = page("ranks=2", "mesh.zero=2");
    // Two micro-steps scatter 7 matrices of 2 layers and the table twice; gathers follow the
    // update.
    assertThat(two)
        .containsPattern("\n +shard +[1-9][0-9,]* +[0-9,]+ +[0-9,]+\n")
        .containsPattern("\n +shard +[1-9][0-9,]*\n")
        .containsPattern("\n +working +[1-9]")
        .containsPattern("AllGather +[1-9][0-9,]* +bytes handed in by a rank, 16 calls\n")
        .containsPattern("ReduceScatter +[1-9][0-9,]* +bytes handed in by a rank, 32 calls\n")
        .containsPattern("bytes sent +[1-9]");
    assertThat(page("ranks=2", "mesh.zero=3"))
        .doesNotContainPattern("\n +working ")
        .containsPattern("AllGather +[1-9][0-9,]* +bytes handed in by a rank, [0-9]+ calls\n");
  }
}
