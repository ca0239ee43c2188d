package dev.kindling.worker.data;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Where fetched jars, unpacked natives and measured choices are kept between runs. */
public final class CacheFolder {
  private CacheFolder() {}

  /**
   * {@code $KINDLING_CACHE/name}, else {@code ~/.cache/kindling/name}; where neither can be written
   * (containers without a home) a fresh private temporary folder.
   */
  public static Path of(String name) {
    String set = System.getenv("KINDLING_CACHE");
    Path folder =
        set != null && !set.isEmpty()
            ? Path.of(set, name)
            : Path.of(System.getProperty("user.home", "."), ".cache", "kindling", name);
    try {
      Files.createDirectories(folder);
      if (Files.isWritable(folder)) {
        return folder;
      }
    } catch (IOException e) {
      // Falls through: an unwritable home is ordinary on YARN and Kubernetes.
    }
    try {
      Path temporary = Files.createTempDirectory("kindling-" + name);
      temporary.toFile().deleteOnExit();
      return temporary;
    } catch (IOException e) {
      throw new DataException("no writable cache folder: set KINDLING_CACHE", e);
    }
  }
}
