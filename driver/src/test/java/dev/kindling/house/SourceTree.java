package dev.kindling.house;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** The checkout that the tests run in. */
final class SourceTree {
  private SourceTree() {}

  static Path root() {
    Path at = Path.of("").toAbsolutePath();
    while (!Files.isRegularFile(at.resolve("CHANGELOG.md"))) {
      Path parent = at.getParent();
      if (parent == null) {
        throw new IllegalStateException("no CHANGELOG.md above " + Path.of("").toAbsolutePath());
      }
      at = parent;
    }
    return at;
  }

  /** Java files under every module's source sets whose path contains {@code part}. */
  static List<Path> javaFiles(String part) throws IOException {
    try (Stream<Path> walk = Files.walk(root())) {
      return walk.filter(p -> p.toString().endsWith(".java"))
          .filter(p -> p.toString().contains("/src/" + part))
          .filter(p -> !p.toString().contains("/target/"))
          .sorted()
          .toList();
    }
  }
}
