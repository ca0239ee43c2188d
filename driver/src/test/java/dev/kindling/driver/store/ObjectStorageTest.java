package dev.kindling.driver.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.kernels.graph.PlanException;
import dev.kindling.worker.store.Storage;
import dev.kindling.worker.store.StorageCases;
import dev.kindling.worker.store.StorageLocation;
import dev.kindling.worker.store.StorageOutput;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Map;
import java.util.UUID;
import org.apache.hadoop.fs.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class ObjectStorageTest extends StorageCases {
  private final String name = "b-" + UUID.randomUUID();
  private final ObjectStore.Bucket bucket = ObjectStore.bucket(name);

  @Override
  protected Storage storage() throws IOException {
    return storage(CommitRule.CONDITIONAL_PUT);
  }

  private Storage storage(CommitRule rule) throws IOException {
    return new HadoopStorage(ObjectStore.open(name), new Path("s3a://" + name + "/run"), rule);
  }

  @AfterEach
  void nothingWasRenamedAndNoUploadIsLeft() {
    assertThat(bucket.renames).hasValue(0);
    assertThat(bucket.uploads).isEmpty();
  }

  @Test
  void aCommitWhoseAnswerWasLostIsKnownByItsBytes() throws IOException {
    bucket.losesAnswers = true;
    assertThat(storage().commitExclusive("commits/a", bytes("mine"))).isTrue();
    bucket.losesAnswers = false;
    assertThat(storage().commitExclusive("commits/a", bytes("yours"))).isFalse();
    assertThat(storage().read("commits/a", 10)).isEqualTo(bytes("mine"));
  }

  /** Why a commit has to be conditional here. */
  @Test
  void ofTwoStreamsIntoOneNameTheLastToEndWins() throws IOException {
    try (StorageOutput first = storage().create("data/part");
        StorageOutput second = storage().create("data/part")) {
      first.write(ByteBuffer.wrap(bytes("first")));
      second.write(ByteBuffer.wrap(bytes("second")));
      second.commit();
      first.commit();
    }
    assertThat(storage().read("data/part", 10)).isEqualTo(bytes("first"));
  }

  @Test
  void aFailedUploadIsAnErrorAndNoCommit() throws IOException {
    // A look whether the name is free, the start of the upload, its end.
    for (int request = 1; request <= 3; request++) {
      bucket.untilFailure.set(request);
      assertThatThrownBy(() -> storage().commitExclusive("commits/a", bytes("x")))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("503");
      assertThat(storage().list("commits")).isEmpty();
    }
    assertThat(storage().commitExclusive("commits/a", bytes("x"))).isTrue();
  }

  @Test
  void aStreamIsSeenFromItsCommitOnAndAbortedWithoutOne() throws IOException {
    try (StorageOutput output = storage().create("data/part")) {
      output.write(ByteBuffer.wrap(bytes("half")));
      assertThat(storage().exists("data/part")).isFalse();
    }
    assertThat(storage().exists("data/part")).isFalse();
    assertThat(bucket.objects).isEmpty();
  }

  @Test
  void aStoreThatCannotRefuseASecondWriterNeedsAUserWhoVouches() throws IOException {
    bucket.conditional = false;
    Map<String, String> model = Map.of("spark.hadoop.fs.s3a.impl", ObjectStore.class.getName());
    StorageLocation location = StorageLocation.of("s3a://" + name + "/run");
    assertThatThrownBy(() -> location.open(model))
        .isInstanceOf(PlanException.class)
        .hasMessageContaining(location.text())
        .hasMessageContaining("spark.hadoop.kindling.storage.single-driver=true");
    Storage storage =
        location.open(
            Map.of(
                "spark.hadoop.fs.s3a.impl",
                ObjectStore.class.getName(),
                "spark.hadoop.kindling.storage.single-driver",
                "true"));
    assertThat(storage.commitExclusive("commits/a", bytes("x"))).isTrue();
    assertThat(storage.commitExclusive("commits/a", bytes("y"))).isFalse();
    bucket.conditional = true;
    assertThat(location.open(model).commitExclusive("commits/a", bytes("z"))).isFalse();
  }
}
