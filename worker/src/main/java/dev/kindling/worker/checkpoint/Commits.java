package dev.kindling.worker.checkpoint;

import dev.kindling.worker.store.Storage;
import dev.kindling.worker.store.StorageEntry;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** The commits of a run by their names alone. */
record Commits(Storage storage) {
  /**
   * Commits by (epoch, step) descending without the revoked ones; names that are no commits become
   * refusals.
   */
  List<Layout.Point> points(List<String> refusals) throws IOException {
    Set<Layout.Point> revoked = new HashSet<>();
    for (StorageEntry entry : storage.list(Layout.REVOKED)) {
      Layout.revokedPoint(entry.name()).ifPresent(revoked::add);
    }
    List<Layout.Point> points = new ArrayList<>();
    for (StorageEntry entry : storage.list(Layout.COMMITS)) {
      Optional<Layout.Point> point = Layout.commitPoint(entry.name());
      if (point.isEmpty() || !entry.isFile()) {
        refusals.add(
            Layout.COMMITS + "/" + entry.name() + ": expected a regular file named like a commit");
      } else if (revoked.contains(point.get())) {
        refusals.add(point.get().commitPath() + ": revoked");
      } else {
        points.add(point.get());
      }
    }
    points.sort(Comparator.reverseOrder());
    return points;
  }

  /**
   * Whether no commit counts: there is none, or a rollback that a death cut short has revoked each.
   * Commits that retention revoked do count, since it leaves others.
   */
  boolean areAllRolledBack() throws IOException {
    Set<Layout.Point> rolledBack = new HashSet<>();
    boolean otherReasons = false;
    for (StorageEntry entry : storage.list(Layout.REVOKED)) {
      Optional<Revocation> record = Revocation.read(storage, entry.name());
      if (record.isPresent() && record.get().reason().equals(Revocation.ROLLED_BACK)) {
        Layout.revokedPoint(entry.name()).ifPresent(rolledBack::add);
      } else {
        otherReasons = true;
      }
    }
    return !otherReasons
        && storage.list(Layout.COMMITS).stream()
            .allMatch(
                entry -> Layout.commitPoint(entry.name()).filter(rolledBack::contains).isPresent());
  }
}
