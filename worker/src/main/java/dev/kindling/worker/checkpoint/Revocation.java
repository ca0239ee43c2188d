package dev.kindling.worker.checkpoint;

import dev.kindling.worker.store.Json;
import dev.kindling.worker.store.JsonException;
import dev.kindling.worker.store.JsonReader;
import dev.kindling.worker.store.Storage;
import java.io.IOException;
import java.util.Optional;

/**
 * The record that takes a commit back before anything of it is deleted. Its name alone revokes;
 * what it says decides what may be deleted.
 *
 * @param reason {@link #TOO_OLD}, {@link #ROLLED_BACK}, or what another version wrote
 * @param commit id of the generation
 * @param folder of its parts; empty if its commit could not be read
 */
record Revocation(String reason, String commit, String folder) {
  static final String TOO_OLD = "retention";
  static final String ROLLED_BACK = "rollback";
  private static final int MAX_BYTES = 4096;

  /**
   * @param by the epoch that revokes
   */
  byte[] bytes(long by) {
    Json.Obj record =
        Json.object()
            .put("reason", reason)
            .put("commit", commit)
            .put("folder", folder)
            .put("by", by)
            .build();
    return SealedText.seal(record.bytes());
  }

  /** Nothing if the record is damaged, or speaks of another commit than its name. */
  static Optional<Revocation> read(Storage storage, String file) throws IOException {
    Optional<Layout.Point> point = Layout.revokedPoint(file);
    if (point.isEmpty()) {
      return Optional.empty();
    }
    String path = Layout.REVOKED + "/" + file;
    try {
      byte[] body = SealedText.open(storage.read(path, MAX_BYTES), path);
      Json.Obj record = JsonReader.read(body, path).asObject("revocation");
      Revocation revocation =
          new Revocation(record.text("reason"), record.text("commit"), record.text("folder"));
      return revocation.commit().equals(point.get().id())
          ? Optional.of(revocation)
          : Optional.empty();
    } catch (CheckpointException | JsonException damaged) {
      return Optional.empty();
    }
  }
}
