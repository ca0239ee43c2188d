package dev.kindling.worker.checkpoint;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A checkpoint that cannot be written, read or believed. The message names the file and, where it
 * applies, the tensor, the byte, what was expected and what was found. Exit code 4: a retry would
 * meet the same bytes.
 */
public final class CheckpointException extends RuntimeException {
  private static final long serialVersionUID = 1;

  public CheckpointException(@Nullable String message) {
    super(message);
  }

  public CheckpointException(@Nullable String message, Throwable cause) {
    super(message, cause);
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
