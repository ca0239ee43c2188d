package dev.kindling.driver.launch;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RankRecordTest {
  @TempDir private Path folder;

  @Test
  void everyReductionIsALine() {
    Path file = folder.resolve("ranks.jsonl");
    RankRecord record = new RankRecord(file);
    record.attemptStarts(1);
    assertThat(file).doesNotExist();
    record.ranksReduced(2, 4, 2);
    record.ranksReduced(3, 2, 1);
    assertThat(file)
        .content()
        .hasLineCount(2)
        .startsWith("{\"attempt\":2,\"ranks\":2,\"ranks_before\":4,\"reason\":\"slots were lost");
  }
}
