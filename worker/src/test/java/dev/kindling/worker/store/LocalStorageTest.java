package dev.kindling.worker.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LocalStorageTest {
  @TempDir Path folder;

  private Storage storage() {
    return new LocalStorage(folder.resolve("root"));
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  /**
   * At least 500 ways out: every separator, dot form, absolute form, control and non-ASCII spelling
   * in every position.
   */
  private static List<String> hostileNames() {
    List<String> pieces =
        List.of(
            "..",
            ".",
            "",
            ".hidden",
            "a\\b",
            "..\\x",
            "C:",
            "c:\\x",
            "\0",
            "a\0b",
            "a\nb",
            "\u202e",
            "\uff0e\uff0e",
            "\u2025",
            "caf\u00e9",
            "cafe\u0301",
            "%2e%2e",
            "~",
            "~root",
            "$HOME",
            "a b",
            "a:b",
            "a*b",
            "a?b",
            "|",
            "&",
            "con:",
            "\\\\host\\share",
            "//host",
            "\ud800",
            "x".repeat(201),
            "\u2215etc",
            "\u29f8",
            "'",
            "\"",
            "<",
            ">",
            "@",
            "#");
    List<String> names = new ArrayList<>();
    for (String piece : pieces) {
      for (String shape :
          List.of(
              "%s",
              "/%s",
              "%s/",
              "a/%s",
              "%s/a",
              "a/%s/b",
              "a//%s",
              "../%s",
              "%s/..",
              "data/../%s",
              "/etc/%s",
              "a/b/c/%s/d",
              "./%s")) {
        names.add(shape.replace("%s", piece));
      }
    }
    names.add("x/".repeat(600) + "y");
    return names;
  }

  @Test
  void noNameLeavesTheRoot() throws IOException {
    List<String> names = hostileNames();
    assertThat(names).hasSizeGreaterThan(500);
    Storage storage = storage();
    storage.commitExclusive("inside", bytes("x"));
    for (String name : names) {
      assertThatThrownBy(() -> storage.commitExclusive(name, bytes("x")))
          .as(name)
          .isInstanceOf(InvalidPathException.class);
      assertThatThrownBy(() -> storage.create(name))
          .as(name)
          .isInstanceOf(InvalidPathException.class);
      assertThatThrownBy(() -> storage.open(name))
          .as(name)
          .isInstanceOf(InvalidPathException.class);
      assertThatThrownBy(() -> storage.deleteFolder(name))
          .as(name)
          .isInstanceOf(InvalidPathException.class);
    }
    try (Stream<Path> walk = Files.walk(folder)) {
      assertThat(walk.filter(Files::isRegularFile)).containsExactly(folder.resolve("root/inside"));
    }
  }

  @Test
  void linksBelowTheRootAreNotFollowed() throws IOException {
    Storage storage = storage();
    storage.commitExclusive("data/a", bytes("x"));
    Path outside = Files.createDirectories(folder.resolve("outside"));
    Files.write(outside.resolve("secret"), bytes("s"));
    Files.createSymbolicLink(folder.resolve("root/data/link"), outside);
    Files.createSymbolicLink(folder.resolve("root/data/file"), outside.resolve("secret"));
    assertThatThrownBy(() -> storage.open("data/link/secret")).isInstanceOf(IOException.class);
    assertThatThrownBy(() -> storage.open("data/file")).isInstanceOf(IOException.class);
    assertThatThrownBy(() -> storage.create("data/link/new")).isInstanceOf(IOException.class);
    assertThatThrownBy(() -> storage.create("data/file")).isInstanceOf(IOException.class);
    assertThatThrownBy(() -> storage.commitExclusive("data/link/new", bytes("x")))
        .isInstanceOf(IOException.class);
    assertThatThrownBy(() -> storage.deleteFolder("data/link")).isInstanceOf(IOException.class);
    assertThat(storage.commitExclusive("data/file", bytes("x"))).isFalse();
    assertThat(storage.deleteFolder("data")).isTrue();
    assertThat(Files.readAllBytes(outside.resolve("secret"))).isEqualTo(bytes("s"));
    assertThat(Files.list(outside)).hasSize(1);
  }

  @Test
  void oneOfManyCommitsWins() throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(4);
    try {
      for (int round = 0; round < 100; round++) {
        String name = "commits/" + round;
        List<Callable<Boolean>> rivals = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
          byte[] content = bytes("rival " + i);
          rivals.add(() -> storage().commitExclusive(name, content));
        }
        int winner = -1;
        List<Future<Boolean>> results = threads.invokeAll(rivals);
        for (int i = 0; i < 4; i++) {
          if (results.get(i).get()) {
            assertThat(winner).isEqualTo(-1);
            winner = i;
          }
        }
        assertThat(storage().read(name, 100)).isEqualTo(bytes("rival " + winner));
      }
    } finally {
      threads.shutdownNow();
    }
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
  void listingsAreSortedAndHideHalfMadeFiles() throws IOException {
    Storage storage = storage();
    assertThat(storage.list("commits")).isEmpty();
    storage.commitExclusive("commits/b", bytes("bb"));
    storage.commitExclusive("commits/a/x", bytes("x"));
    Path half = folder.resolve("root/commits/.tmp-dead");
    Files.write(half, bytes("x"));
    assertThat(storage.list("commits"))
        .containsExactly(
            new StorageEntry("a", StorageEntry.Kind.FOLDER, 0),
            new StorageEntry("b", StorageEntry.Kind.FILE, 2));
    storage.sweep("commits");
    assertThat(half).doesNotExist();
    storage.replace("commits/b", bytes("new"));
    assertThat(storage.read("commits/b", 10)).isEqualTo(bytes("new"));
    assertThat(storage.delete("commits/b")).isTrue();
    assertThat(storage.delete("commits/b")).isFalse();
  }
}
