package dev.kindling.worker.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.kernels.graph.PlanException;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class StorageLocationTest {
  @ParameterizedTest
  @CsvSource({
    "runs/a, true, runs/a, runs/a/b",
    "/runs/a/, true, /runs/a/, /runs/a/b",
    "runs:1/a, true, runs:1/a, runs:1/a/b",
    "file:/runs/a, true, /runs/a, /runs/a/b",
    "file:///runs/a, true, /runs/a, /runs/a/b",
    "hdfs://nn:8020/runs/a/, false, hdfs://nn:8020/runs/a, hdfs://nn:8020/runs/a/b",
    "hdfs:///runs/a, false, hdfs:///runs/a, hdfs:///runs/a/b",
    "s3a://bucket/runs/../x, false, s3a://bucket/x, s3a://bucket/x/b",
    "abfs://box@account/a, false, abfs://box@account/a, abfs://box@account/a/b"
  })
  void pathsAndUrisAreToldApart(String given, boolean local, String text, String child) {
    StorageLocation location = StorageLocation.of(given);
    assertThat(location.isLocal()).isEqualTo(local);
    assertThat(location.text()).isEqualTo(text);
    assertThat(location.resolve("b").text()).isEqualTo(child);
    assertThat(StorageLocation.of(location.absolute().text())).isEqualTo(location.absolute());
  }

  @Test
  void aSecretInAUriIsRefusedAndNotRepeated() {
    assertThatThrownBy(() -> StorageLocation.of("s3a://key:hunter2@bucket/runs"))
        .isInstanceOf(PlanException.class)
        .hasMessageContaining("s3a://bucket")
        .hasMessageNotContaining("hunter2");
    assertThatThrownBy(() -> StorageLocation.of("s3a://key:hunter2@buck et/runs"))
        .isInstanceOf(PlanException.class)
        .hasMessageNotContaining("hunter2");
  }

  @Test
  void aLocalOneNeedsNoProviderAndAnyOtherOneDoes(@TempDir Path folder) throws Exception {
    Storage storage = StorageLocation.of(folder.resolve("run").toString()).open(Map.of());
    assertThat(storage.commitExclusive("a", new byte[] {1})).isTrue();
    assertThatThrownBy(() -> StorageLocation.of("hdfs://nn/run").open(Map.of()))
        .isInstanceOf(PlanException.class)
        .hasMessageContaining("hdfs://nn/run: expected a local folder");
  }
}
