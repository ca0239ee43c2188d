package dev.kindling.worker.store;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import java.util.Optional;

/**
 * A folder of files that somebody else made, to be read alone. Unlike a {@link Storage} it follows
 * the links of a local folder, as the cache of the Hub's own tools has them, and takes any name
 * there.
 */
public final class InputFolder {
  private final StorageLocation location;
  private final Optional<Path> local;
  private final Map<String, String> settings;

  /**
   * Nothing is read yet.
   *
   * @param sparkConf settings of the run, of which those that Spark would hand to Hadoop count
   */
  public InputFolder(StorageLocation location, Map<String, String> sparkConf) {
    this.location = location;
    this.local = location.path();
    this.settings = Map.copyOf(sparkConf);
  }

  /** Of a local path or a URI, with the settings of this machine alone. */
  public InputFolder(StorageLocation location) {
    this(location, Map.of());
  }

  /** Of a local folder. */
  public static InputFolder local(Path folder) {
    return new InputFolder(new StorageLocation(folder.toString()));
  }

  public StorageLocation location() {
    return location;
  }

  /** Name of a file in messages. */
  public String shown(String name) {
    return location.resolve(name).toString();
  }

  /**
   * Opens a regular file, or what a local link leads to.
   *
   * @throws java.nio.file.NoSuchFileException if there is none
   */
  public StorageInput open(String name) throws IOException {
    try {
      if (local.isEmpty()) {
        return location.open(settings).open(name);
      }
      Path real = local.get().resolve(name).toRealPath();
      if (!Files.isRegularFile(real)) {
        throw new IOException(shown(name) + ": expected a file, found something else");
      }
      return new LocalInput(real, FileChannel.open(real, StandardOpenOption.READ));
    } catch (InvalidPathException odd) {
      throw new IOException(shown(name) + ": " + odd.getMessage(), odd);
    }
  }

  public boolean exists(String name) throws IOException {
    return local.isPresent()
        ? Files.exists(local.get().resolve(name))
        : location.open(settings).exists(name);
  }

  /** Reads a small file whole; refuses one that is longer before reading it. */
  public byte[] read(String name, int maxBytes) throws IOException {
    try (StorageInput input = open(name)) {
      if (input.length() > maxBytes) {
        throw new IOException(
            shown(name) + ": expected at most " + maxBytes + " bytes, found " + input.length());
      }
      ByteBuffer content = ByteBuffer.allocate((int) input.length());
      input.readFully(0, content);
      return content.array();
    }
  }

  @Override
  public String toString() {
    return location.toString();
  }
}
