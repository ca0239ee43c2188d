package dev.kindling.worker.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LocalStorageTest extends StorageCases {
  @TempDir Path folder;

  @Override
  protected Storage storage() {
    return new LocalStorage(folder.resolve("root"));
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
  void whoSweepsAfterTheLastCheckEndsTheCommit() throws IOException {
    Storage storage = storage();
    Storage.Check sweptAfterwards = () -> storage.sweep("commits");
    assertThatThrownBy(() -> storage.commitExclusive("commits/a", bytes("x"), sweptAfterwards))
        .isInstanceOf(IOException.class);
    assertThat(storage.list("commits")).isEmpty();
    assertThat(storage.commitExclusive("commits/a", bytes("x"))).isTrue();
  }

  @Test
  void halfMadeFilesAreHiddenUntilTheyAreSwept() throws IOException {
    Storage storage = storage();
    storage.commitExclusive("commits/b", bytes("bb"));
    Path half = folder.resolve("root/commits/.tmp-dead");
    Files.write(half, bytes("x"));
    assertThat(storage.list("commits")).hasSize(1);
    storage.sweep("commits");
    assertThat(half).doesNotExist();
  }

  @Test
  void aCommitOutlivesACrashTogetherWithEveryFolderAboveIt() throws IOException {
    LocalMedium medium = LocalMedium.create();
    medium.storage().commitExclusive("commits/a", bytes("x"));
    assertLasts(medium);
  }

  /** By a process that died before it forced them to disk, or by one that never does. */
  @Test
  void foldersThatSomebodyElseHasMadeAreForcedToo() throws IOException {
    LocalMedium medium = LocalMedium.create();
    LocalStorage storage = (LocalStorage) medium.storage();
    Files.createDirectories(storage.root().resolve("commits"));
    storage.commitExclusive("commits/a", bytes("x"));
    assertLasts(medium);
  }

  @Test
  void theRootMayBeALink() throws IOException {
    Path real = Files.createDirectories(folder.resolve("real"));
    Files.createSymbolicLink(folder.resolve("link"), real);
    Storage storage = new LocalStorage(folder.resolve("link"));
    for (String name : List.of("a", "commits/a", "b", "commits/b")) {
      assertThat(storage.commitExclusive(name, bytes("x"))).isTrue();
      assertThat(real.resolve(name)).exists();
    }
  }

  /** Else a commit that is there loses its files as those of a failed save. */
  @Test
  void aNameThatTheDiskCannotBeAskedAboutIsNotAbsent() throws IOException {
    CallFaults faults = new CallFaults();
    Storage storage = LocalMedium.storage(MemoryFileSystem.create(faults.local()));
    storage.commitExclusive("commits/a", bytes("x"));
    faults.fail(CallFaults.Kind.LOOK, "Input/output error");
    assertThatThrownBy(() -> storage.exists("commits/a")).hasMessage("Input/output error");
    assertThatThrownBy(() -> storage.deleteFolder("commits")).hasMessage("Input/output error");
    assertThatThrownBy(() -> storage.create("data/a")).hasMessage("Input/output error");
  }

  private static void assertLasts(LocalMedium medium) throws IOException {
    RecordedMedium.Replay replay = medium.replay();
    for (int i = 0; i < medium.calls(); i++) {
      replay.advance();
    }
    for (CrashState state : replay.states(1000, new java.util.Random(1))) {
      assertThat(state.storage().get().read("commits/a", 10)).isEqualTo(bytes("x"));
    }
  }
}
