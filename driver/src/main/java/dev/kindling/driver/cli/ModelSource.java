package dev.kindling.driver.cli;

import dev.kindling.driver.launch.DeviceChoice;
import dev.kindling.worker.store.StorageLocation;
import java.util.Optional;

/**
 * A model to put to work.
 *
 * @param path Hugging Face model directory or run folder
 * @param context tokens that it sees at once; empty for the default
 */
public record ModelSource(String path, DeviceChoice device, Optional<Integer> context) {
  StorageLocation folder() {
    return StorageLocation.of(path);
  }
}
