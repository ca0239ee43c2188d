package dev.kindling.worker.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.worker.store.LocalStorage;
import dev.kindling.worker.store.Storage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CheckpointStoreTest extends CheckpointStoreCases {
  @TempDir Path root;

  @Override
  protected Storage storage(String run) {
    return new LocalStorage(root.resolve(run));
  }

  @Test
  void filesAreForTheirOwnerOnly() throws IOException {
    CheckpointStore store = TinyRun.open(root.resolve("run"));
    TinyRun.save(store, store.claimEpoch(), 3, 1);
    for (Path file : TinyRun.files(root)) {
      assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file)))
          .isEqualTo("rw-------");
    }
    for (String folder : List.of("run", "run/data", "run/data/e0000000001", "run/commits")) {
      assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(root.resolve(folder))))
          .isEqualTo("rwx------");
    }
  }

  /** What an owner sweeps that does not know yet that it was replaced could be the newer one's. */
  @Test
  void halfMadeCommitsGoAtAClaimAndAtNoSave() throws IOException {
    CheckpointStore store = TinyRun.open(root.resolve("run"));
    long epoch = store.claimEpoch();
    TinyRun.save(store, epoch, 1, 1);
    Path half = root.resolve("run/commits/.tmp-of-another");
    Files.write(half, new byte[] {1});
    TinyRun.save(store, epoch, 2, 1);
    TinyRun.save(store, epoch, 3, 1);
    assertThat(half).exists();
    TinyRun.open(root.resolve("run")).claimEpoch();
    assertThat(half).doesNotExist();
  }

  static void flip(Path file) throws IOException {
    byte[] bytes = Files.readAllBytes(file);
    bytes[bytes.length / 2] ^= 1;
    Files.write(file, bytes);
  }
}
