package dev.kindling.worker.checkpoint;

import dev.kindling.worker.store.Json;
import dev.kindling.worker.store.JsonException;
import dev.kindling.worker.store.JsonReader;
import dev.kindling.worker.store.Storage;
import java.io.IOException;
import java.security.SecureRandom;
import java.util.HexFormat;
import java.util.Optional;

/**
 * The 128-bit name of a job in {@code job.json}: commits copied in from another job do not match
 * it.
 */
final class JobIdentity {
  private static final int MAX_BYTES = 4096;

  private JobIdentity() {}

  /**
   * The identity, or nothing when the file is absent or damaged: the commits then speak for
   * themselves.
   */
  static Optional<String> read(Storage storage) throws IOException {
    if (!storage.exists(Layout.JOB)) {
      return Optional.empty();
    }
    try {
      byte[] body = SealedText.open(storage.read(Layout.JOB, MAX_BYTES), Layout.JOB);
      return Optional.of(JsonReader.read(body, Layout.JOB).asObject("job").text("jobId"));
    } catch (CheckpointException | JsonException damaged) {
      return Optional.empty();
    }
  }

  static void ensure(Storage storage) throws IOException {
    byte[] id = new byte[16];
    new SecureRandom().nextBytes(id);
    Json.Obj json =
        Json.object()
            .put("format", Manifest.FORMAT)
            .put("jobId", HexFormat.of().formatHex(id))
            .build();
    if (!storage.exists(Layout.JOB)) {
      storage.commitExclusive(Layout.JOB, SealedText.seal(json.bytes()));
    }
  }
}
