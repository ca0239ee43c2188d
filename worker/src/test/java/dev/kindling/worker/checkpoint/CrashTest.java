package dev.kindling.worker.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.worker.store.LocalStorage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A process that dies around any storage operation of a save, its retention included. */
class CrashTest {
  @TempDir Path folder;

  /**
   * Three generations were saved, two are kept; epoch 2 is about to save step 4 and to retire step
   * 2.
   */
  private Path prepared() throws IOException {
    Path base = folder.resolve("base");
    CheckpointStore store = TinyRun.open(base);
    long epoch = store.claimEpoch();
    TinyRun.write(store, epoch, 9, 1);
    for (long step = 1; step <= 3; step++) {
      TinyRun.save(store, epoch, step, 1);
    }
    store.claimEpoch();
    return base;
  }

  private static void saveStepFour(CheckpointStore store) {
    store.newestValid(new ArrayList<>());
    TinyRun.save(store, 2, 4, 2);
  }

  @ParameterizedTest
  @EnumSource
  void aDeathAtAnyOperationLosesNothing(CrashingStorage.When when) throws IOException {
    Path base = prepared();
    Path counted = folder.resolve("counted");
    TinyRun.copy(base, counted);
    CrashingStorage counting =
        new CrashingStorage(new LocalStorage(counted), Integer.MAX_VALUE, when);
    saveStepFour(TinyRun.open(counting));
    assertThat(counting.operations()).isGreaterThan(60);
    for (int dieAt = 1; dieAt <= counting.operations(); dieAt++) {
      Path run = folder.resolve(when + "-" + dieAt);
      TinyRun.copy(base, run);
      CrashingStorage storage = new CrashingStorage(new LocalStorage(run), dieAt, when);
      boolean died = false;
      try {
        saveStepFour(TinyRun.open(storage));
      } catch (CrashingStorage.Died death) {
        died = true;
      }
      assertThat(died).as("operation %d", dieAt).isTrue();
      assertRestorable(run, when + " operation " + dieAt);
      assertCleanAfterTheNextSave(run, when + " operation " + dieAt);
    }
  }

  @ParameterizedTest
  @EnumSource
  void aDeathWhileAFailedSaveIsDiscardedLosesNothing(CrashingStorage.When when) throws IOException {
    Path base = prepared();
    CommitRequest failed = TinyRun.write(TinyRun.open(base), 2, 4, 2);
    Path counted = folder.resolve("counted");
    TinyRun.copy(base, counted);
    CrashingStorage counting =
        new CrashingStorage(new LocalStorage(counted), Integer.MAX_VALUE, when);
    discard(counting, failed);
    assertThat(TinyRun.files(counted.resolve("data/e0000000002"))).isEmpty();
    assertThat(counting.operations()).isGreaterThan(failed.parts().size());
    for (int dieAt = 1; dieAt <= counting.operations(); dieAt++) {
      Path run = folder.resolve(when + "-" + dieAt);
      TinyRun.copy(base, run);
      CrashingStorage storage = new CrashingStorage(new LocalStorage(run), dieAt, when);
      assertThatThrownBy(() -> discard(storage, failed)).isInstanceOf(CrashingStorage.Died.class);
      assertRestorable(run, when + " operation " + dieAt);
      assertCleanAfterTheNextSave(run, when + " operation " + dieAt);
    }
  }

  private static void discard(CrashingStorage storage, CommitRequest failed) {
    TinyRun.open(storage).discard(2, 4, TinyRun.SUFFIX, failed.parts());
  }

  @ParameterizedTest
  @EnumSource
  void aDeathWhileEverythingIsTakenBackLeavesARunThatGoesOn(CrashingStorage.When when)
      throws IOException {
    Path base = folder.resolve("base");
    CheckpointStore first = TinyRun.open(base);
    long epoch = first.claimEpoch();
    TinyRun.save(first, epoch, 1, 1);
    TinyRun.save(first, epoch, 2, 1);
    boolean died = true;
    for (int dieAt = 1; died; dieAt++) {
      Path run = folder.resolve(when + "-" + dieAt);
      TinyRun.copy(base, run);
      CheckpointStore dying = TinyRun.open(new CrashingStorage(new LocalStorage(run), dieAt, when));
      died = false;
      try {
        dying.takeBack(epoch, 1);
      } catch (CrashingStorage.Died death) {
        died = true;
      }
      CheckpointStore next = TinyRun.open(run);
      if (next.newestValid(new ArrayList<>()).isEmpty()) {
        assertThat(next.neverCommitted()).as("a fresh start at operation %d", dieAt).isTrue();
      }
      TinyRun.save(next, next.claimEpoch(), 3, 1);
      TinyRun.assertHolds(next, next.newestValid(new ArrayList<>()).orElseThrow(), 3);
    }
  }

  private static void assertRestorable(Path run, String as) {
    CheckpointStore store = TinyRun.open(run);
    boolean committed = Files.exists(run.resolve("commits/e0000000002-s000000000004.json"));
    List<String> refusals = new ArrayList<>();
    Generation newest = store.newestValid(refusals).orElseThrow();
    assertThat(newest.step()).as(as).isEqualTo(committed ? 4 : 3);
    TinyRun.assertHolds(store, newest, newest.step());
    int restorable = 0;
    for (String id : store.commits()) {
      restorable += store.generation(id).id().equals(id) ? 1 : 0;
    }
    assertThat(restorable).as(as).isGreaterThanOrEqualTo(2);
  }

  private static void assertCleanAfterTheNextSave(Path run, String as) throws IOException {
    CheckpointStore store = TinyRun.open(run);
    store.newestValid(new ArrayList<>());
    long epoch = store.claimEpoch();
    TinyRun.save(store, epoch, 5, 1);
    assertThat(store.commits()).as(as).hasSize(2).first().isEqualTo("e0000000003-s000000000005");
    List<Path> generations = new ArrayList<>();
    try (Stream<Path> epochs = Files.list(run.resolve("data"))) {
      for (Path of : epochs.toList()) {
        try (Stream<Path> folders = Files.list(of)) {
          generations.addAll(folders.toList());
        }
      }
    }
    assertThat(generations).as(as).hasSize(2);
    assertThat(Files.list(run.resolve("revoked"))).as(as).isEmpty();
    assertThat(Files.list(run.resolve("commits"))).as(as).hasSize(2);
  }

  @Test
  void aWriterThatThrowsLeavesNoFile() {
    Path root = folder.resolve("thrown");
    CheckpointStore store = TinyRun.open(root);
    long epoch = store.claimEpoch();
    List<NamedSpan> twice = new ArrayList<>(TinyRun.tensors(PartKind.MODEL, 1));
    twice.addAll(TinyRun.tensors(PartKind.MODEL, 1));
    assertThat(
            org.assertj.core.api.Assertions.catchThrowable(
                () ->
                    store.writeParts(epoch, 1, "aa", TinyRun.onePart(PartKind.MODEL, 0, 1), twice)))
        .isInstanceOf(CheckpointException.class)
        .hasMessageContaining("model.embed_tokens.weight");
    assertThat(root.resolve("data")).doesNotExist();
  }
}
