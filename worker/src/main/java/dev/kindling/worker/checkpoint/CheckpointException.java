package dev.kindling.worker.checkpoint;

import dev.kindling.worker.store.Storage;
import java.io.IOException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A checkpoint that cannot be written, read or believed. The message names the file and, where it
 * applies, the tensor, the byte, what was expected and what was found. Exit code 4: a retry would
 * meet the same bytes.
 */
public final class CheckpointException extends RuntimeException {
  private static final long serialVersionUID = 1;

  private final boolean fenced;

  public CheckpointException(@Nullable String message) {
    super(message);
    fenced = false;
  }

  public CheckpointException(@Nullable String message, Throwable cause) {
    super(message, cause);
    fenced = false;
  }

  private CheckpointException(String message, boolean fenced) {
    super(message);
    this.fenced = fenced;
  }

  /** Trouble of the storage with a file of the checkpoint root. */
  static CheckpointException of(Storage storage, String name, IOException cause) {
    return new CheckpointException(storage.location() + "/" + name + ": " + describe(cause), cause);
  }

  /** An I/O error without its file; its class says what its message often does not. */
  static String describe(IOException cause) {
    return cause.getClass().getSimpleName() + ": " + cause.getMessage();
  }

  /** Somebody else claimed a newer epoch: nothing that this run writes can be committed. */
  public static CheckpointException fenced(String location, long own, long newer) {
    return new CheckpointException(
        "%s: fenced: this run holds epoch %d, a newer start of it took epoch %d"
            .formatted(location, own, newer),
        true);
  }

  /** True if only the newest claim of the folder may go on, and this is another one. */
  public boolean isFenced() {
    return fenced;
  }

  /** Commits exist and none can be loaded: never a silent fresh start. */
  static CheckpointException noneLoadable(String location, List<String> refusals) {
    return new CheckpointException(
        location
            + ": "
            + refusals.size()
            + " checkpoint(s) present, none can be loaded:\n  "
            + String.join("\n  ", refusals));
  }
}
