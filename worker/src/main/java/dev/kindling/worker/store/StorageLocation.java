package dev.kindling.worker.store;

import dev.kindling.kernels.graph.PlanException;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.ServiceLoader;
import java.util.TreeMap;
import java.util.regex.Pattern;

/**
 * Where a {@link Storage} has its root: a local path, with or without {@code file:}, or a URI of
 * any other file system.
 *
 * @param text a local path, or a URI without a trailing slash
 */
public record StorageLocation(String text) {
  /** Prefix under which Spark hands settings to Hadoop. */
  private static final String SPARK_PREFIX = "spark.hadoop.";

  /** A single letter is a drive, and a colon without a slash behind it part of a name. */
  private static final Pattern REMOTE = Pattern.compile("[A-Za-z][A-Za-z0-9+.-]+:/.*");

  /**
   * Understands a path or URI as a person writes it.
   *
   * @throws PlanException if it is a URI that cannot be used; a secret in it is not repeated
   */
  public static StorageLocation of(String text) {
    if (!REMOTE.matcher(text).matches()) {
      return new StorageLocation(text);
    }
    URI uri = parsed(text);
    String user = uri.getUserInfo();
    if (user != null && user.contains(":")) {
      throw new PlanException(
          uri.getScheme()
              + "://"
              + uri.getHost()
              + ": expected no password in a URI, found one; give it through spark.hadoop settings"
              + " or the environment");
    }
    if (uri.getScheme().equalsIgnoreCase("file")) {
      return new StorageLocation(uri.getPath());
    }
    return new StorageLocation(uri.toString().replaceFirst("(?<=[^/])/+$", ""));
  }

  private static URI parsed(String text) {
    try {
      return URI.create(text).normalize();
    } catch (IllegalArgumentException malformed) {
      throw new PlanException(
          "expected a path or a URI of a file system, found a malformed URI: "
              + text.replaceFirst("//[^/@]*@", "//...@"));
    }
  }

  /** True if java.nio reaches it. */
  public boolean isLocal() {
    return !REMOTE.matcher(text).matches();
  }

  /** The local folder; nothing for a URI. */
  public Optional<Path> path() {
    return isLocal() ? Optional.of(Path.of(text)) : Optional.empty();
  }

  /** The same, independent of the working directory: other processes may read it. */
  public StorageLocation absolute() {
    return isLocal()
        ? new StorageLocation(Path.of(text).toAbsolutePath().normalize().toString())
        : this;
  }

  public StorageLocation resolve(String child) {
    return new StorageLocation(
        isLocal() ? Path.of(text).resolve(child).toString() : text + "/" + child);
  }

  /** The folder around it; of a bare name the working folder. */
  public StorageLocation parent() {
    if (isLocal()) {
      Path above = Path.of(text).toAbsolutePath().getParent();
      return new StorageLocation(above == null ? text : above.toString());
    }
    return new StorageLocation(text.substring(0, text.lastIndexOf('/')));
  }

  /** Its last name. */
  public String name() {
    if (isLocal()) {
      Path last = Path.of(text).getFileName();
      return last == null ? "" : last.toString();
    }
    return text.substring(text.lastIndexOf('/') + 1);
  }

  /**
   * Opens it; nothing is read or written yet.
   *
   * @param sparkConf settings of the run, of which those that Spark would hand to Hadoop count
   * @throws PlanException if the file system is unknown, or cannot keep the port's promises
   */
  public Storage open(Map<String, String> sparkConf) {
    if (isLocal()) {
      return new LocalStorage(Path.of(text));
    }
    // By this class's own loader: inside a Spark task the application's jar is in no other.
    StorageProvider provider =
        ServiceLoader.load(StorageProvider.class, StorageProvider.class.getClassLoader())
            .findFirst()
            .orElseThrow(
                () ->
                    new PlanException(
                        text + ": expected a local folder, since no other file system is at hand"));
    try {
      return provider.open(URI.create(text), hadoopSettings(sparkConf));
    } catch (IOException unusable) {
      throw new PlanException(text + ": " + unusable.getMessage());
    }
  }

  private static Map<String, String> hadoopSettings(Map<String, String> sparkConf) {
    Map<String, String> settings = new TreeMap<>();
    sparkConf.forEach(
        (key, value) -> {
          if (key.startsWith(SPARK_PREFIX)) {
            settings.put(key.substring(SPARK_PREFIX.length()), value);
          }
        });
    return settings;
  }

  @Override
  public String toString() {
    return text;
  }
}
