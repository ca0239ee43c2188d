package dev.kindling.kernels.backend.cuda;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Arrays;
import jcuda.driver.JCudaDriver;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Loads JCuda's native half. JCuda itself unpacks it under a fixed name into the temporary folder
 * and loads whatever lies there: ranks of a host that start together load each other's half-written
 * file, and any user of the machine may put one there. So it gets a folder of its own for this.
 */
final class JcudaLibrary {
  private static final Logger LOG = LoggerFactory.getLogger(JcudaLibrary.class);
  private static final String FILE = "libJCudaDriver-12.6.0-linux-x86_64.so";
  private static final String TEMPORARY = "java.io.tmpdir";

  private static boolean loaded;

  private JcudaLibrary() {}

  /**
   * @throws LinkageError if the library or something it needs is missing
   */
  static synchronized void load() {
    if (loaded) {
      return;
    }
    String before = System.getProperty(TEMPORARY);
    Path folder = null;
    try {
      folder = Files.createTempDirectory("kindling-jcuda-");
      if (unpack(folder)) {
        System.setProperty(TEMPORARY, folder.toString());
      }
    } catch (IOException unwritable) {
      LOG.warn("JCuda unpacks its library itself: {}", unwritable.toString());
    }
    try {
      JCudaDriver.setExceptionsEnabled(false);
      loaded = true;
    } finally {
      System.setProperty(TEMPORARY, before);
      delete(folder);
    }
  }

  /** Whether the library of the version that we know is there. */
  static boolean unpack(Path folder) throws IOException {
    try (InputStream library = JCudaDriver.class.getResourceAsStream("/lib/" + FILE)) {
      if (library == null) {
        return false;
      }
      Files.copy(library, folder.resolve(FILE), StandardCopyOption.REPLACE_EXISTING);
      return true;
    }
  }

  /** The loaded library stays mapped without its name. */
  private static void delete(@org.jspecify.annotations.Nullable Path folder) {
    if (folder == null) {
      return;
    }
    try {
      for (Path path : Arrays.asList(folder.resolve(FILE), folder)) {
        Files.deleteIfExists(path);
      }
    } catch (IOException left) {
      LOG.debug("{} stays", folder, left);
    }
  }
}
