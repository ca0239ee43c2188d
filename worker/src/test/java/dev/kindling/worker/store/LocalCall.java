package dev.kindling.worker.store;

import java.util.Map;

/** A call that changes a local disk, as the operating system is asked for it. */
public sealed interface LocalCall {
  /** Stands for a name that is gone. */
  int NOTHING = 0;

  /**
   * Names of one folder that change together: one for a creation, a link or a deletion, two for a
   * rename.
   *
   * @param nodes by name what it stands for from now on, or {@link #NOTHING}
   */
  record Entries(int folder, Map<String, Integer> nodes) implements LocalCall {}

  /** Bytes added to the end of a file. */
  record Written(int file, byte[] content) implements LocalCall {}

  /** {@code fsync} of a file or of a folder. */
  record Forced(int node) implements LocalCall {}
}
