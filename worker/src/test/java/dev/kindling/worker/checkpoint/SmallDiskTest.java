package dev.kindling.worker.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.worker.store.SmallDisk;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Saves on a real file system that is full, out of inodes or read-only. */
class SmallDiskTest {
  @TempDir Path folder;

  private SmallDisk disk;
  private Path root;
  private CheckpointStore store;
  private long epoch;

  @BeforeEach
  void twoGenerations() throws Exception {
    disk = SmallDisk.mount(folder.resolve("disk"), "size=1m,nr_inodes=120");
    root = disk.folder().resolve("run");
    store = TinyRun.open(root);
    epoch = store.claimEpoch();
    TinyRun.save(store, epoch, 1, 1);
    TinyRun.save(store, epoch, 2, 1);
  }

  @AfterEach
  void unmount() throws Exception {
    if (disk != null) {
      disk.close();
    }
  }

  /** As a rank does; what it threw, or nothing. */
  private String save(long step) {
    List<PartDescriptor> written = new ArrayList<>();
    try {
      for (PartKind kind : PartKind.values()) {
        written.addAll(
            store.writeParts(
                epoch,
                step,
                TinyRun.SUFFIX,
                TinyRun.onePart(kind, 0, 1),
                TinyRun.tensors(kind, step)));
      }
      store.commit(
          new CommitRequest(
              epoch, step, TinyRun.SUFFIX, 1, written, TinyRun.state(step, 1), TinyRun.FACTS));
      return "";
    } catch (CheckpointException failed) {
      store.discard(epoch, step, TinyRun.SUFFIX, written);
      return String.valueOf(failed.getMessage());
    }
  }

  private void assertNewest(long step, String as) {
    CheckpointStore next = TinyRun.open(root);
    Generation newest = next.newestValid(new ArrayList<>()).orElseThrow();
    TinyRun.assertHolds(next, newest, step);
    assertThat(next.commits()).as(as).hasSizeGreaterThanOrEqualTo(2);
    next.commits().forEach(next::generation);
  }

  private void assertNoSpentFile(String as) throws IOException {
    List<Path> found = new ArrayList<>();
    for (String id : store.commits()) {
      found.addAll(TinyRun.files(root.resolve(store.generation(id).manifest().folder())));
    }
    found.sort(null);
    assertThat(TinyRun.files(root.resolve("data"))).as(as).isEqualTo(found);
    assertThat(Files.list(root.resolve("commits"))).as(as).hasSize(2);
  }

  /** What takes a place on the disk. */
  private interface Ballast {
    void leave(int room) throws IOException;
  }

  /** The less room there is the earlier a save fails, and with enough of it none does. */
  private void assertSurvives(Ballast ballast, int most) throws IOException {
    long good = 2;
    int refused = 0;
    for (int room = 0; room <= most; room++) {
      long step = 3 + 2L * room;
      ballast.leave(room);
      String failure = save(step);
      disk.empty();
      String as = "room " + room + ": " + failure;
      if (!failure.isEmpty()) {
        refused++;
        assertThat(failure).as(as).contains("No space left on device");
      }
      assertNewest(failure.isEmpty() ? step : good, as);
      good = step + 1;
      assertThat(save(good)).as(as).isEmpty();
      assertNewest(good, as);
      assertNoSpentFile(as);
    }
    assertThat(refused).isBetween(4, most);
  }

  @Test
  void aDiskWithoutRoomForBytesRefusesSavesAndLosesNothing() throws IOException {
    assertSurvives(disk::fill, 16);
  }

  @Test
  void aDiskWithoutRoomForFilesRefusesSavesAndLosesNothing() throws IOException {
    assertSurvives(disk::crowd, 16);
  }

  @Test
  void aDiskThatBecomesReadOnlyRefusesSavesAndIsReadAllTheSame() throws Exception {
    disk.remount("ro");
    assertThat(save(3)).contains("Read-only file system");
    assertNewest(2, "read-only");
    disk.remount("rw");
    assertThat(save(4)).isEmpty();
    assertNewest(4, "again");
    assertNoSpentFile("again");
  }
}
