package dev.kindling.worker.checkpoint;

import dev.kindling.worker.store.ForwardingStorage;
import dev.kindling.worker.store.Storage;
import dev.kindling.worker.store.StorageEntry;
import java.io.IOException;

/** A mutant: parts of old generations go too early. */
final class EagerDeletion extends ForwardingStorage {
  /** What the deletion ought to have waited for. */
  enum Before {
    REVOKED,
    COMMIT
  }

  private final Before before;

  EagerDeletion(Storage storage, Before before) {
    super(storage);
    this.before = before;
  }

  @Override
  public boolean commitExclusive(String name, byte[] content) throws IOException {
    if (before == Before.REVOKED && name.startsWith(Layout.REVOKED + "/")) {
      deleteParts(Layout.revokedPoint(name.substring(name.indexOf('/') + 1)).orElseThrow());
    }
    if (before == Before.COMMIT && name.startsWith(Layout.COMMITS + "/")) {
      var points = new Commits(storage).points(new java.util.ArrayList<>());
      if (points.size() >= 2) {
        deleteParts(points.get(points.size() - 1));
      }
    }
    return super.commitExclusive(name, content);
  }

  private void deleteParts(Layout.Point point) throws IOException {
    String epoch = Layout.epochFolder(point.epoch());
    for (StorageEntry entry : storage.list(epoch)) {
      if (Layout.isGenerationFolder(epoch + "/" + entry.name(), point)) {
        storage.deleteFolder(epoch + "/" + entry.name());
      }
    }
  }
}
