package dev.kindling.driver.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.worker.store.Storage;
import dev.kindling.worker.store.StorageCases;
import dev.kindling.worker.store.StorageLocation;
import dev.kindling.worker.store.StorageOutput;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Map;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

class HdfsStorageTest extends StorageCases {
  @RegisterExtension static final SmallHdfs HDFS = new SmallHdfs();

  private final Path root = SmallHdfs.freshRoot();

  @Override
  protected Storage storage() throws IOException {
    return HDFS.storage(root);
  }

  @Override
  protected int rounds() {
    return 10;
  }

  @Test
  void aFolderCanBeDeletedUnderAWriterWhoseNextActIsRefused() throws IOException {
    StorageOutput zombie = storage().create("data/e1/part");
    zombie.write(ByteBuffer.wrap(bytes("half")));
    assertThat(storage().deleteFolder("data/e1")).isTrue();
    assertThatThrownBy(
            () -> {
              zombie.write(ByteBuffer.allocate(1 << 20));
              zombie.commit();
            })
        .isInstanceOf(IOException.class);
    assertThat(storage().exists("data/e1/part")).isFalse();
  }

  @Test
  void aCommitLeavesNoTemporaryFileAndASweepRemovesThoseOfTheDead() throws IOException {
    Storage storage = storage();
    storage.commitExclusive("commits/a", bytes("a"));
    storage.commitExclusive("commits/a", bytes("b"));
    storage.replace("commits/a", bytes("c"));
    assertThat(HDFS.files().listStatus(new Path(root, "commits"))).hasSize(1);
    // As a dead client leaves it: open, its lease not ended.
    HDFS.files().create(new Path(root, "commits/.tmp-dead")).hflush();
    assertThat(storage.list("commits")).hasSize(1);
    storage.sweep("commits");
    assertThat(HDFS.files().listStatus(new Path(root, "commits"))).hasSize(1);
  }

  @Test
  void whoSweepsAfterTheLastCheckEndsTheCommit() throws IOException {
    Storage storage = storage();
    Storage.Check sweptAfterwards = () -> storage.sweep("commits");
    assertThatThrownBy(() -> storage.commitExclusive("commits/a", bytes("x"), sweptAfterwards))
        .isInstanceOf(IOException.class);
    assertThat(storage.list("commits")).isEmpty();
    assertThat(storage.commitExclusive("commits/a", bytes("x"))).isTrue();
  }

  @Test
  void filesAndFoldersAreForTheirOwnerOnly() throws IOException {
    storage().commitExclusive("commits/a", bytes("a"));
    try (StorageOutput output = storage().create("data/part")) {
      output.commit();
    }
    for (String name : new String[] {"commits", "commits/a", "data", "data/part"}) {
      FileStatus status = HDFS.files().getFileStatus(new Path(root, name));
      assertThat(status.getPermission().toShort())
          .as(name)
          .isEqualTo((short) (status.isFile() ? 0600 : 0700));
    }
  }

  @Test
  void aUriOpensIt() throws IOException {
    StorageLocation location =
        StorageLocation.of(HDFS.files().makeQualified(root) + "/").resolve("run");
    Storage storage = location.open(Map.of("spark.hadoop.dfs.replication", "1"));
    assertThat(storage.commitExclusive("a", bytes("x"))).isTrue();
    assertThat(storage().read("run/a", 10)).isEqualTo(bytes("x"));
  }
}
