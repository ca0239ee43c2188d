package dev.kindling.worker.checkpoint;

import dev.kindling.worker.store.Json;
import dev.kindling.worker.store.Storage;
import dev.kindling.worker.store.StorageEntry;
import java.io.IOException;

/** The fencing epochs of a checkpoint root: one small exclusive object each. */
record Epochs(Storage storage) {
  /** Takes the next one; of several concurrent callers each gets another. */
  long claim() throws IOException {
    JobIdentity.ensure(storage);
    long epoch = highest();
    byte[] owner = Json.object().put("pid", ProcessHandle.current().pid()).build().bytes();
    do {
      epoch++;
    } while (!storage.commitExclusive(Layout.epochPath(epoch), owner));
    return epoch;
  }

  /** The newest that anybody claimed, 0 if none. */
  long highest() throws IOException {
    long highest = 0;
    for (StorageEntry entry : storage.list(Layout.EPOCHS)) {
      highest = Math.max(highest, Layout.epochOf(entry.name()).orElse(0L));
    }
    return highest;
  }
}
