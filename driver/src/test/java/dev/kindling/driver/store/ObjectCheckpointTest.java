package dev.kindling.driver.store;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.worker.checkpoint.CheckpointStoreCases;
import dev.kindling.worker.store.Storage;
import java.io.IOException;
import java.util.UUID;
import org.apache.hadoop.fs.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class ObjectCheckpointTest extends CheckpointStoreCases {
  private final String name = "b-" + UUID.randomUUID();
  private final ObjectStore.Bucket bucket = ObjectStore.bucket(name);

  @Override
  protected Storage storage(String run) throws IOException {
    Path root = new Path("s3a://" + name + "/" + run);
    return new HadoopStorage(ObjectStore.open(name), root, CommitRule.CONDITIONAL_PUT);
  }

  @AfterEach
  void nothingWasRenamedAndNoUploadIsLeft() {
    assertThat(bucket.renames).hasValue(0);
    assertThat(bucket.uploads).isEmpty();
  }

  @Test
  void aStoreThatRefusesOneRequestLosesNothing() throws IOException {
    for (int request = 1; request <= 20; request++) {
      int failing = request;
      bucket.objects.clear();
      assertSurvives(
          new Trouble() {
            @Override
            public void begin() {
              bucket.untilFailure.set(failing);
            }

            @Override
            public void end() {
              bucket.untilFailure.set(0);
            }
          });
    }
  }
}
