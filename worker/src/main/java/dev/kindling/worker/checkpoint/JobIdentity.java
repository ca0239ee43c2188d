package dev.kindling.worker.checkpoint;

import dev.kindling.worker.store.Json;
import dev.kindling.worker.store.JsonException;
import dev.kindling.worker.store.JsonReader;
import dev.kindling.worker.store.Storage;
import java.io.IOException;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The 128-bit name of a job in {@code job.json}: commits copied in from another job do not match
 * it.
 */
final class JobIdentity {
  private static final Logger LOG = LoggerFactory.getLogger(JobIdentity.class);
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

  /** As stored, or if that is damaged as the newest readable commit says. */
  static String of(Storage storage, GenerationReader reader) throws IOException {
    Optional<String> id = read(storage);
    if (id.isPresent()) {
      return id.get();
    }
    for (Layout.Point point : new Commits(storage).points(new ArrayList<>())) {
      try {
        return reader.manifest(point).jobId();
      } catch (CheckpointException damaged) {
        LOG.debug("{}", damaged.getMessage());
      }
    }
    throw new CheckpointException(
        storage.location()
            + "/"
            + Layout.JOB
            + ": expected a job identity, found none that is whole");
  }
}
