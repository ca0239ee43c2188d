package dev.kindling.driver.cli;

import java.io.IOException;
import java.io.Reader;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;

/**
 * The Spark settings of a run that are secret, in a file for their owner alone, so that {@code
 * config.yaml} holds none and can be shown to others. A run without secrets has no such file.
 */
final class SecretsFile {
  private static final String OWNER_ONLY = "rw-------";

  private final Path file;

  /** The one beside a run's {@code config.yaml}. */
  SecretsFile(Path config) {
    file = config.resolveSibling("secrets.properties");
  }

  Path path() {
    return file;
  }

  /** Empty if there is no such file. */
  Map<String, String> read() {
    Map<String, String> secrets = new HashMap<>();
    if (Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)) {
      Properties stored = new Properties();
      try (Reader reader = Files.newBufferedReader(file, StandardCharsets.UTF_8)) {
        // A folder that was copied may have lost its permissions.
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString(OWNER_ONLY));
        stored.load(reader);
      } catch (IOException e) {
        throw new UncheckedIOException("cannot read " + file, e);
      }
      stored.stringPropertyNames().forEach(key -> secrets.put(key, stored.getProperty(key)));
    }
    return secrets;
  }

  /** Whole or not at all. */
  void write(Map<String, String> secrets) {
    Path fresh = file.resolveSibling(file.getFileName() + ".new");
    try {
      Files.deleteIfExists(fresh);
      if (secrets.isEmpty()) {
        Files.deleteIfExists(file);
        return;
      }
      Files.createFile(
          fresh, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString(OWNER_ONLY)));
      Properties stored = new Properties();
      stored.putAll(secrets);
      try (Writer writer = Files.newBufferedWriter(fresh, StandardCharsets.UTF_8)) {
        stored.store(writer, null);
      }
      Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException e) {
      throw new UncheckedIOException("cannot write " + file, e);
    }
  }
}
