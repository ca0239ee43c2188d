package dev.kindling.worker.checkpoint;

import dev.kindling.worker.store.Storage;
import java.io.IOException;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The files of a save that failed. Their names are spent and nothing names them, so that they may
 * go at once; a crash on the way leaves them to the retention of the next epoch, as it does the
 * folder.
 */
record FailedSave(Storage storage, GenerationReader reader, Layout.Point point, String folder) {
  private static final Logger LOG = LoggerFactory.getLogger(FailedSave.class);

  /** Deletes files of the folder as well as it can be done; what stays is logged. */
  void delete(List<String> files) {
    try {
      if (isCommitted()) {
        LOG.warn("{}: the commit of a save that failed is there: its files stay", folder);
        return;
      }
    } catch (IOException | CheckpointException unknown) {
      LOG.warn("{}: files of a failed save stay: {}", folder, unknown.getMessage());
      return;
    }
    for (String file : files) {
      try {
        storage.delete(folder + "/" + file);
      } catch (IOException left) {
        LOG.warn(
            "{}/{}: left by a failed save: {}", folder, file, CheckpointException.describe(left));
      }
    }
  }

  /**
   * A commit can be there although its creation failed: the name exists before its folder is forced
   * to disk. One of another try at the same step does not count.
   */
  private boolean isCommitted() throws IOException {
    return storage.exists(point.commitPath()) && reader.manifest(point).folder().equals(folder);
  }
}
