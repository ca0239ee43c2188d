package dev.kindling.worker.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Two generations, the newer one damaged: it is refused with a reason and the older one is used.
 * Cut files and flipped bits are {@link EveryDamageTest}'s.
 */
class DamageTest {
  private static final String NEWER = "data/e0000000001/s000000000002-3f9a";
  private static final String COMMIT = "commits/e0000000001-s000000000002.json";

  @TempDir Path root;
  private CheckpointStore store;

  @BeforeEach
  void twoGenerations() {
    store = TinyRun.open(root);
    long epoch = store.claimEpoch();
    TinyRun.save(store, epoch, 1, 2);
    TinyRun.save(store, epoch, 2, 2);
  }

  private List<Path> newerFiles() throws IOException {
    List<Path> files = new ArrayList<>(TinyRun.files(root.resolve(NEWER)));
    files.add(root.resolve(COMMIT));
    return files;
  }

  private void assertOlderIsUsed(String as, String named) {
    List<String> refusals = new ArrayList<>();
    Generation generation = store.newestValid(refusals).orElseThrow();
    assertThat(generation.step()).as(as).isEqualTo(1);
    assertThat(refusals).as(as).singleElement().asString().contains(named);
  }

  @Test
  void everyAppendedByteIsRefused() throws IOException {
    for (Path file : newerFiles()) {
      byte[] whole = Files.readAllBytes(file);
      for (byte extra : new byte[] {0, '\n', ' ', 'x'}) {
        byte[] longer = Arrays.copyOf(whole, whole.length + 1);
        longer[whole.length] = extra;
        Files.write(file, longer);
        assertOlderIsUsed(file + " longer by " + extra, String.valueOf(file.getFileName()));
      }
      Files.write(file, whole);
    }
  }

  @Test
  void partsOfAnotherGenerationAreRefused() throws IOException {
    Path older = root.resolve("data/e0000000001/s000000000001-3f9a");
    for (Path file : TinyRun.files(root.resolve(NEWER))) {
      byte[] whole = Files.readAllBytes(file);
      Path twin = older.resolve(String.valueOf(file.getFileName()));
      if (!Arrays.equals(whole, Files.readAllBytes(twin))) {
        Files.copy(twin, file, StandardCopyOption.REPLACE_EXISTING);
        assertOlderIsUsed(file + " of step 1", String.valueOf(file.getFileName()));
        Files.write(file, whole);
      }
    }
  }

  @Test
  void aCommitUnderAnotherNameIsRefused() throws IOException {
    Files.move(root.resolve(COMMIT), root.resolve("commits/e0000000001-s000000000003.json"));
    assertOlderIsUsed("renamed", "expected the commit of e0000000001-s000000000003");
  }

  @Test
  void aMissingFileIsRefusedAndAnExtraOneIgnored() throws IOException {
    Files.write(root.resolve(NEWER).resolve("stranger.safetensors"), new byte[] {1, 2, 3});
    assertThat(store.newestValid(new ArrayList<>()).orElseThrow().step()).isEqualTo(2);
    for (Path file : newerFiles()) {
      if (!file.endsWith(COMMIT) && !file.endsWith("stranger.safetensors")) {
        byte[] whole = Files.readAllBytes(file);
        Files.delete(file);
        assertOlderIsUsed(file + " missing", String.valueOf(file.getFileName()));
        Files.write(file, whole);
      }
    }
  }

  @Test
  void aLinkIsRefusedWhereverItStands(@TempDir Path elsewhere) throws IOException {
    for (Path file : newerFiles()) {
      Path moved = elsewhere.resolve(String.valueOf(file.getFileName()));
      Files.move(file, moved);
      Files.createSymbolicLink(file, moved);
      assertOlderIsUsed(file + " is a link", file.endsWith(COMMIT) ? COMMIT : "link");
      Files.delete(file);
      Files.move(moved, file);
    }
    Path folder = root.resolve(NEWER);
    Files.move(folder, elsewhere.resolve("folder"));
    Files.createSymbolicLink(folder, elsewhere.resolve("folder"));
    assertOlderIsUsed("the folder is a link", "link");
  }

  @Test
  void commitsOfWhichNoneLoadsAreNeverAFreshStart() throws IOException {
    for (Path commit : TinyRun.files(root.resolve("commits"))) {
      CheckpointStoreTest.flip(commit);
    }
    assertThatThrownBy(() -> store.newestValid(new ArrayList<>()))
        .isInstanceOf(CheckpointException.class)
        .hasMessageContaining("2 checkpoint(s) present, none can be loaded")
        .hasMessageContaining("s000000000001.json")
        .hasMessageContaining("s000000000002.json");
  }

  @Test
  void loadChecksAgainWhatWasSelectedBefore() throws IOException {
    Generation generation = store.newestValid(new ArrayList<>()).orElseThrow();
    CheckpointStoreTest.flip(root.resolve(NEWER).resolve("model-00002-of-00002.safetensors"));
    List<NamedSpan> targets = TinyRun.zeroed(PartKind.MODEL);
    assertThatThrownBy(() -> store.load(generation, PartKind.MODEL, targets))
        .isInstanceOf(CheckpointException.class)
        .hasMessageContaining("model-00002-of-00002.safetensors");
    assertThat(targets.get(1).span().toFloats()).as("no byte of the damaged part").containsOnly(0f);
  }
}
