package dev.kindling.driver.ml;

import dev.kindling.worker.checkpoint.CheckpointException;
import dev.kindling.worker.checkpoint.CheckpointStore;
import dev.kindling.worker.loop.WorkerTask;
import dev.kindling.worker.store.StorageLocation;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/** Tells a model from what lay in its place before, without reading its weights. */
final class ModelVersion {
  private static final String CONFIG = "config.json";

  private ModelVersion() {}

  /**
   * Newest commit of a run, times of the files of a local model directory.
   *
   * @throws CheckpointException if there is neither run nor model
   */
  static String of(StorageLocation folder) {
    try {
      if (folder.open(Map.of()).exists(CONFIG)) {
        Optional<Path> local = folder.path();
        return local.isPresent() ? times(local.get()) : CONFIG;
      }
      List<String> commits =
          CheckpointStore.open(folder.resolve(WorkerTask.CHECKPOINTS).open(Map.of()), 2).commits();
      if (commits.isEmpty()) {
        throw new CheckpointException(
            folder + ": expected a run folder with a checkpoint or a model directory, found none");
      }
      return commits.get(0);
    } catch (IOException e) {
      throw new CheckpointException(folder + ": cannot be read: " + e, e);
    }
  }

  private static String times(Path folder) throws IOException {
    List<String> times = new ArrayList<>();
    try (Stream<Path> files = Files.list(folder)) {
      for (Path file : files.sorted().toList()) {
        FileTime time = Files.getLastModifiedTime(file);
        times.add(file.getFileName() + " " + time);
      }
    }
    return String.join("\n", times);
  }
}
