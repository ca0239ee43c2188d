package dev.kindling.benchmarks;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.stream.Stream;

/** Where a benchmark keeps its runs: a folder of the user's, or a temporary one that goes. */
record WorkFolder(Path path, boolean temporary) implements AutoCloseable {
  /**
   * @param keep folder to use and leave, empty for a temporary one
   */
  static WorkFolder of(String prefix, String keep) throws IOException {
    return keep.isEmpty()
        ? new WorkFolder(Files.createTempDirectory(prefix), true)
        : new WorkFolder(Files.createDirectories(Path.of(keep)).toAbsolutePath(), false);
  }

  @Override
  public void close() throws IOException {
    if (temporary) {
      try (Stream<Path> walk = Files.walk(path)) {
        for (Path file : walk.sorted(Comparator.reverseOrder()).toList()) {
          Files.deleteIfExists(file);
        }
      }
    }
  }
}
