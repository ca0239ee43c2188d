package dev.kindling.worker.checkpoint;

import dev.kindling.worker.store.Json;
import dev.kindling.worker.store.Storage;
import dev.kindling.worker.store.StorageEntry;
import java.io.IOException;
import java.security.SecureRandom;
import java.util.HexFormat;

/** The fencing epochs of a checkpoint root: one small exclusive object each. */
public record Epochs(Storage storage) {
  private static final int NONCE_BYTES = 16;

  /** Takes the next one; of several concurrent callers each gets another. */
  public long claim() throws IOException {
    JobIdentity.ensure(storage);
    long epoch = highest();
    do {
      epoch++;
    } while (!storage.commitExclusive(Layout.epochPath(epoch), owner()));
    sweep();
    return epoch;
  }

  /**
   * Takes the one after {@code own}, and no other.
   *
   * @return false if somebody else has it, which fences {@code own}
   */
  public boolean claimAfter(long own) throws IOException {
    boolean claimed = storage.commitExclusive(Layout.epochPath(own + 1), owner());
    if (claimed) {
      sweep();
    }
    return claimed;
  }

  /**
   * Half-made commits of earlier owners go. Here and not at every save: what a replaced owner
   * sweeps could be a file that the newer one is just about to commit.
   */
  private void sweep() throws IOException {
    storage.sweep(Layout.COMMITS);
    storage.sweep(Layout.REVOKED);
  }

  /** No two claims are the same bytes: a store whose answer got lost tells them apart by these. */
  private static byte[] owner() {
    byte[] nonce = new byte[NONCE_BYTES];
    new SecureRandom().nextBytes(nonce);
    return Json.object()
        .put("pid", ProcessHandle.current().pid())
        .put("nonce", HexFormat.of().formatHex(nonce))
        .build()
        .bytes();
  }

  /** The newest that anybody claimed, 0 if none. */
  public long highest() throws IOException {
    long highest = 0;
    for (StorageEntry entry : storage.list(Layout.EPOCHS)) {
      highest = Math.max(highest, Layout.epochOf(entry.name()).orElse(0L));
    }
    return highest;
  }
}
