package dev.kindling.worker.checkpoint;

import dev.kindling.kernels.fault.Failpoint;
import dev.kindling.worker.store.Storage;
import dev.kindling.worker.store.StorageEntry;
import java.io.IOException;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/**
 * Deletes old generations so that a kill at any point leaves at least two that verified, if there
 * ever were two.
 *
 * <p>Order for one generation: revocation record, commit, parts, record. Whoever runs next finishes
 * what a dead one began. Nothing is ever judged by its modification time.
 */
final class Retention {
  private static final int MIN_KEEP = 2;

  private final Storage storage;
  private final CheckpointStore store;
  private final int keep;

  Retention(Storage storage, CheckpointStore store, int keep) {
    this.storage = storage;
    this.store = store;
    this.keep = Math.max(MIN_KEEP, keep);
  }

  void run(long epoch) throws IOException {
    finishBegun();
    int verified = 0;
    for (Layout.Point point : store.points(new java.util.ArrayList<>())) {
      if (verified >= keep) {
        retire(epoch, point, Revocation.TOO_OLD);
      } else if (store.isVerified(point)) {
        verified++;
      }
    }
    removeOrphans(epoch);
  }

  /** The newest first: after a kill in between the run goes on from one that is rolled back too. */
  void takeBack(long epoch, long step) throws IOException {
    finishBegun();
    for (Layout.Point point : store.points(new java.util.ArrayList<>())) {
      if (point.step() >= step) {
        retire(epoch, point, Revocation.ROLLED_BACK);
      }
    }
  }

  private void retire(long epoch, Layout.Point point, String reason) throws IOException {
    String folder = "";
    try {
      folder = store.reader().manifest(point).folder();
    } catch (CheckpointException damaged) {
      // Its parts become orphans, and the next epoch removes them.
      folder = "";
    }
    String path = Layout.revokedPath(epoch, point);
    Failpoint.RETENTION_REVOKE.before();
    storage.commitExclusive(path, new Revocation(reason, point.id(), folder).bytes(epoch));
    Failpoint.RETENTION_REVOKE.after();
    remove(path, point, folder);
  }

  private void finishBegun() throws IOException {
    for (StorageEntry entry : storage.list(Layout.REVOKED)) {
      Optional<Layout.Point> point = Layout.revokedPoint(entry.name());
      if (point.isEmpty() || !entry.isFile()) {
        continue;
      }
      // Without a readable reason nothing is deleted.
      Optional<Revocation> revocation = Revocation.read(storage, entry.name());
      if (revocation.isPresent()
          && List.of(Revocation.TOO_OLD, Revocation.ROLLED_BACK)
              .contains(revocation.get().reason())) {
        remove(Layout.REVOKED + "/" + entry.name(), point.get(), revocation.get().folder());
      }
    }
  }

  private void remove(String record, Layout.Point point, String folder) throws IOException {
    Failpoint.RETENTION_COMMIT.before();
    storage.delete(point.commitPath());
    Failpoint.RETENTION_COMMIT.after();
    if (Layout.isGenerationFolder(folder, point)) {
      Failpoint.RETENTION_PARTS.before();
      storage.deleteFolder(folder);
      Failpoint.RETENTION_PARTS.after();
    }
    Failpoint.RETENTION_RECORD.before();
    storage.delete(record);
    Failpoint.RETENTION_RECORD.after();
  }

  /**
   * Parts of earlier epochs that no commit names. The current epoch may still be writing, so its
   * folder is left alone.
   */
  private void removeOrphans(long epoch) throws IOException {
    Map<Layout.Point, String> referenced = new TreeMap<>();
    Set<Layout.Point> unreadable = new HashSet<>();
    for (StorageEntry entry : storage.list(Layout.COMMITS)) {
      Optional<Layout.Point> point = Layout.commitPoint(entry.name());
      if (point.isPresent()) {
        try {
          referenced.put(point.get(), store.reader().manifest(point.get()).folder());
        } catch (CheckpointException | IOException damaged) {
          unreadable.add(point.get());
        }
      }
    }
    for (StorageEntry entry : storage.list(Layout.DATA)) {
      Optional<Long> of = Layout.epochOfFolder(entry.name());
      if (of.isPresent() && of.get() < epoch && entry.kind() == StorageEntry.Kind.FOLDER) {
        removeOrphansOf(of.get(), Set.copyOf(referenced.values()), unreadable);
      }
    }
  }

  private void removeOrphansOf(long epoch, Set<String> referenced, Set<Layout.Point> unreadable)
      throws IOException {
    String parent = Layout.epochFolder(epoch);
    List<StorageEntry> folders = storage.list(parent);
    int left = 0;
    for (StorageEntry entry : folders) {
      String folder = parent + "/" + entry.name();
      boolean needed =
          referenced.contains(folder)
              || entry.kind() != StorageEntry.Kind.FOLDER
              || unreadable.stream().anyMatch(point -> Layout.isGenerationFolder(folder, point));
      if (needed) {
        left++;
      } else {
        Failpoint.ORPHANS_REMOVE.before();
        storage.deleteFolder(folder);
        Failpoint.ORPHANS_REMOVE.after();
      }
    }
    if (left == 0) {
      storage.deleteFolder(parent);
    }
  }
}
