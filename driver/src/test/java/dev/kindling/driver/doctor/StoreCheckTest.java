package dev.kindling.driver.doctor;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.driver.store.ObjectStore;
import dev.kindling.worker.store.StorageLocation;
import java.io.IOException;
import java.util.Map;
import java.util.UUID;
import org.junit.jupiter.api.Test;

class StoreCheckTest {
  private static final Map<String, String> MODEL =
      Map.of("spark.hadoop.fs.s3a.impl", ObjectStore.class.getName());

  private final StorageLocation bucket = StorageLocation.of("s3a://b-" + UUID.randomUUID() + "/a");
  private final StorageLocation runs = bucket.resolve("runs");

  @Test
  void aStoreThatKeepsItsPromisesIsLeftAsItWasAndItsRuleIsNamed() throws IOException {
    Finding finding = StoreCheck.examine(runs, MODEL);
    assertThat(finding.state()).as(finding.line()).isEqualTo(Finding.State.OK);
    assertThat(finding.text()).contains(runs.text(), "commits by conditional put");
    assertThat(bucket.open(MODEL).list("runs")).isEmpty();
  }

  @Test
  void aStoreThatCannotBeReachedIsWrongWithAMend() {
    Finding unknown = StoreCheck.examine(StorageLocation.of("nosuch://host/runs"), Map.of());
    assertThat(unknown.state()).isEqualTo(Finding.State.WRONG);
    assertThat(unknown.text()).contains("nosuch");
    assertThat(unknown.mend()).contains("HADOOP_CONF_DIR");
    Finding away =
        StoreCheck.examine(
            StorageLocation.of("hdfs://127.0.0.1:1/runs"),
            Map.of("spark.hadoop.ipc.client.connect.max.retries", "0"));
    assertThat(away.state()).as(away.line()).isEqualTo(Finding.State.WRONG);
  }
}
