package dev.kindling.worker.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.InvalidPathException;
import java.nio.file.NoSuchFileException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;

/** What every implementation of the port promises. */
public abstract class StorageCases {
  /** A storage with an empty root of its own for each test; the same one throughout a test. */
  protected abstract Storage storage() throws IOException;

  /** Races of an exclusive commit; fewer where one costs more. */
  protected int rounds() {
    return 100;
  }

  protected static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  @Test
  void oneOfManyCommitsWins() throws Exception {
    Storage storage = storage();
    ExecutorService threads = Executors.newFixedThreadPool(4);
    try {
      for (int round = 0; round < rounds(); round++) {
        String name = "commits/" + round;
        List<Callable<Boolean>> rivals = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
          byte[] content = bytes("rival " + i);
          rivals.add(() -> storage.commitExclusive(name, content));
        }
        int winner = -1;
        List<Future<Boolean>> results = threads.invokeAll(rivals);
        for (int i = 0; i < 4; i++) {
          if (results.get(i).get()) {
            assertThat(winner).isEqualTo(-1);
            winner = i;
          }
        }
        assertThat(storage.read(name, 100)).isEqualTo(bytes("rival " + winner));
      }
    } finally {
      threads.shutdownNow();
    }
  }

  @Test
  void anObjectBecomesVisibleOnlyIfTheLastCheckHolds() throws IOException {
    Storage storage = storage();
    Storage.Check broken =
        () -> {
          throw new IOException("no longer the owner");
        };
    assertThatThrownBy(() -> storage.commitExclusive("commits/a", bytes("x"), broken))
        .hasMessage("no longer the owner");
    assertThat(storage.list("commits")).isEmpty();
    Storage.Check notYet = () -> assertThat(storage.exists("commits/a")).isFalse();
    assertThat(storage.commitExclusive("commits/a", bytes("x"), notYet)).isTrue();
    assertThat(storage.commitExclusive("commits/a", bytes("y"), () -> {})).isFalse();
    assertThat(storage.read("commits/a", 10)).isEqualTo(bytes("x"));
  }

  @Test
  void aStreamThatIsNotCommittedLeavesNothing() throws IOException {
    Storage storage = storage();
    try (StorageOutput output = storage.create("data/part")) {
      output.write(ByteBuffer.wrap(bytes("half")));
    }
    assertThat(storage.exists("data/part")).isFalse();
    try (StorageOutput output = storage.create("data/part")) {
      output.write(ByteBuffer.wrap(bytes("whole")));
      output.commit();
    }
    assertThat(storage.length("data/part")).isEqualTo(5);
    assertThatThrownBy(() -> storage.create("data/part"))
        .isInstanceOf(FileAlreadyExistsException.class);
    try (StorageInput input = storage.open("data/part")) {
      assertThatThrownBy(() -> input.readFully(3, ByteBuffer.allocate(3)))
          .isInstanceOf(EOFException.class)
          .hasMessageContaining("part: byte 5");
    }
    assertThatThrownBy(() -> storage.read("data/part", 4))
        .hasMessageContaining("at most 4 bytes, found 5");
    assertThatThrownBy(() -> storage.open("data/none")).isInstanceOf(NoSuchFileException.class);
  }

  @Test
  void listingsAreSortedAndFollowEveryChange() throws IOException {
    Storage storage = storage();
    assertThat(storage.list("commits")).isEmpty();
    storage.commitExclusive("commits/b", bytes("bb"));
    storage.commitExclusive("commits/a/x", bytes("x"));
    assertThat(storage.list("commits"))
        .containsExactly(
            new StorageEntry("a", StorageEntry.Kind.FOLDER, 0),
            new StorageEntry("b", StorageEntry.Kind.FILE, 2));
    storage.replace("commits/b", bytes("new"));
    assertThat(storage.read("commits/b", 10)).isEqualTo(bytes("new"));
    assertThat(storage.delete("commits/b")).isTrue();
    assertThat(storage.delete("commits/b")).isFalse();
  }

  @Test
  void aFolderGoesWithEverythingInIt() throws IOException {
    Storage storage = storage();
    assertThat(storage.deleteFolder("data")).isFalse();
    storage.commitExclusive("data/a/x", bytes("x"));
    storage.commitExclusive("data/a/b/y", bytes("y"));
    storage.commitExclusive("data/ab", bytes("z"));
    assertThatThrownBy(() -> storage.deleteFolder("data/ab")).isInstanceOf(IOException.class);
    assertThat(storage.deleteFolder("data/a")).isTrue();
    assertThat(storage.exists("data/a/b/y")).isFalse();
    assertThat(storage.list("data")).extracting(StorageEntry::name).containsExactly("ab");
    assertThat(storage.list("data/a")).isEmpty();
  }

  @Test
  void noNameLeavesTheRootOrHides() throws IOException {
    Storage storage = storage();
    for (String name :
        List.of("../x", "/x", "a/../../x", "a//x", ".x", "a:b", "", "a/.", "s3a://b/x")) {
      assertThatThrownBy(() -> storage.create(name)).isInstanceOf(InvalidPathException.class);
      assertThatThrownBy(() -> storage.commitExclusive(name, bytes("x")))
          .isInstanceOf(InvalidPathException.class);
      assertThatThrownBy(() -> storage.deleteFolder(name)).isInstanceOf(InvalidPathException.class);
    }
  }
}
