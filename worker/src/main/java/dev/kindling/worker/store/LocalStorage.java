package dev.kindling.worker.store;

import static java.nio.file.LinkOption.NOFOLLOW_LINKS;

import dev.kindling.kernels.fault.Failpoint;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * {@link Storage} on a local file system through java.nio: files 0600, folders 0700, every visible
 * name forced to disk together with its folder.
 *
 * <p>An exclusive commit is a temporary file, forced, then a hard link to the final name: {@code
 * link(2)} fails when the name exists and shows the content whole. {@code ATOMIC_MOVE} would
 * replace the winner without a word.
 *
 * <p>The root itself may be reached through links (the user chose it); below it a link is refused.
 */
public final class LocalStorage implements Storage {
  static final String TEMPORARY_PREFIX = ".tmp-";
  private static final FileAttribute<?> FILE_MODE =
      PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"));
  private static final FileAttribute<?> FOLDER_MODE =
      PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"));
  private static final SecureRandom RANDOM = new SecureRandom();

  private final Path root;

  /**
   * Folders whose names this object has forced to disk. One that is merely there may be the work of
   * a process that died before it had forced it.
   */
  private final Set<Path> durable = ConcurrentHashMap.newKeySet();

  public LocalStorage(Path root) {
    this.root = root.toAbsolutePath().normalize();
  }

  public Path root() {
    return root;
  }

  @Override
  public String location() {
    return root.toString();
  }

  @Override
  public List<StorageEntry> list(String folder) throws IOException {
    Path path = resolve(folder);
    List<StorageEntry> entries = new ArrayList<>();
    try (DirectoryStream<Path> stream = Files.newDirectoryStream(path)) {
      for (Path child : stream) {
        String name = child.getFileName().toString();
        if (!name.startsWith(TEMPORARY_PREFIX)) {
          describe(name, child, entries);
        }
      }
    } catch (NoSuchFileException absent) {
      return List.of();
    } catch (java.nio.file.DirectoryIteratorException broken) {
      throw broken.getCause();
    }
    entries.sort(Comparator.comparing(StorageEntry::name));
    return List.copyOf(entries);
  }

  private static void describe(String name, Path child, List<StorageEntry> entries)
      throws IOException {
    try {
      BasicFileAttributes attributes =
          Files.readAttributes(child, BasicFileAttributes.class, NOFOLLOW_LINKS);
      StorageEntry.Kind kind =
          attributes.isRegularFile()
              ? StorageEntry.Kind.FILE
              : attributes.isDirectory() ? StorageEntry.Kind.FOLDER : StorageEntry.Kind.OTHER;
      entries.add(
          new StorageEntry(name, kind, kind == StorageEntry.Kind.FILE ? attributes.size() : 0));
    } catch (NoSuchFileException gone) {
      // Another owner deleted it between the listing and this look: it is not there, and that is
      // the answer.
      return;
    }
  }

  @Override
  public StorageInput open(String name) throws IOException {
    Path path = resolve(name);
    requireRegular(path);
    return new LocalInput(
        path, FileChannel.open(path, Set.of(StandardOpenOption.READ, NOFOLLOW_LINKS)));
  }

  @Override
  public StorageOutput create(String name) throws IOException {
    Path path = resolve(name);
    makeFolders(folderOf(path));
    return new LocalOutput(path, openNew(path));
  }

  @Override
  public boolean commitExclusive(String name, byte[] content) throws IOException {
    return commitExclusive(name, content, () -> {});
  }

  @Override
  public boolean commitExclusive(String name, byte[] content, Check last) throws IOException {
    Path path = resolve(name);
    Path folder = makeFolders(folderOf(path));
    Failpoint.COMMIT_WRITE.before();
    Path temporary = writeTemporary(folder, content);
    Failpoint.COMMIT_WRITE.after();
    try {
      last.run();
      Failpoint.COMMIT_LINK.before();
      Files.createLink(path, temporary);
      Failpoint.COMMIT_LINK.after();
    } catch (FileAlreadyExistsException taken) {
      return false;
    } finally {
      Files.deleteIfExists(temporary);
    }
    forceFolder(folder);
    return true;
  }

  @Override
  public void replace(String name, byte[] content) throws IOException {
    Path path = resolve(name);
    Path folder = makeFolders(folderOf(path));
    Path temporary = writeTemporary(folder, content);
    try {
      Files.move(temporary, path, StandardCopyOption.ATOMIC_MOVE);
    } finally {
      Files.deleteIfExists(temporary);
    }
    forceFolder(folder);
  }

  @Override
  public boolean delete(String name) throws IOException {
    Path path = resolve(name);
    boolean deleted = Files.deleteIfExists(path);
    if (deleted) {
      forceFolder(folderOf(path));
    }
    return deleted;
  }

  @Override
  public boolean deleteFolder(String folder) throws IOException {
    Path path = resolve(folder);
    Optional<BasicFileAttributes> found = look(path);
    if (found.isEmpty()) {
      return false;
    }
    if (!found.get().isDirectory()) {
      throw new NotDirectoryException(path.toString());
    }
    durable.removeIf(folderOrBelow -> folderOrBelow.startsWith(path));
    deleteTree(path);
    forceFolder(folderOf(path));
    return true;
  }

  private static void deleteTree(Path folder) throws IOException {
    try (DirectoryStream<Path> stream = Files.newDirectoryStream(folder)) {
      for (Path child : stream) {
        if (Files.isDirectory(child, NOFOLLOW_LINKS)) {
          deleteTree(child);
        } else {
          Files.deleteIfExists(child);
        }
      }
    }
    Files.deleteIfExists(folder);
  }

  @Override
  public boolean exists(String name) throws IOException {
    return look(resolve(name)).isPresent();
  }

  @Override
  public long length(String name) throws IOException {
    return requireRegular(resolve(name)).size();
  }

  @Override
  public void sweep(String folder) throws IOException {
    Path path = resolve(folder);
    try (DirectoryStream<Path> stream = Files.newDirectoryStream(path, TEMPORARY_PREFIX + "*")) {
      for (Path child : stream) {
        if (!Files.isDirectory(child, NOFOLLOW_LINKS)) {
          Files.deleteIfExists(child);
        }
      }
    } catch (NoSuchFileException absent) {
      return;
    }
  }

  /** Root plus checked components; every existing folder on the way must be a real folder. */
  private Path resolve(String name) throws IOException {
    List<String> components = StorageName.components(name);
    Path path = root;
    for (int i = 0; i < components.size() - 1; i++) {
      path = path.resolve(components.get(i));
      isFolder(path);
    }
    return path.resolve(components.get(components.size() - 1));
  }

  /**
   * What stands under a name, nothing if it is free. {@code Files.exists} and its like answer no
   * when the disk could not be asked, and a commit that seems absent loses its files.
   */
  private static Optional<BasicFileAttributes> look(Path path) throws IOException {
    try {
      return Optional.of(Files.readAttributes(path, BasicFileAttributes.class, NOFOLLOW_LINKS));
    } catch (NoSuchFileException absent) {
      return Optional.empty();
    }
  }

  /** False if there is nothing; anything but a real folder is refused. */
  private static boolean isFolder(Path path) throws IOException {
    Optional<BasicFileAttributes> found = look(path);
    if (found.isPresent() && !found.get().isDirectory()) {
      throw new FileSystemException(
          path.toString(), null, "expected a folder, found a link or a file");
    }
    return found.isPresent();
  }

  private static BasicFileAttributes requireRegular(Path path) throws IOException {
    BasicFileAttributes attributes =
        Files.readAttributes(path, BasicFileAttributes.class, NOFOLLOW_LINKS);
    if (!attributes.isRegularFile()) {
      throw new FileSystemException(
          path.toString(), null, "expected a regular file, found a link or a folder");
    }
    return attributes;
  }

  private Path makeFolders(Path folder) throws IOException {
    boolean isRoot = folder.equals(root);
    if (durable.contains(folder) && (isRoot ? Files.isDirectory(root) : isFolder(folder))) {
      return folder;
    }
    if (isRoot) {
      makeRoot(root);
    } else {
      Path parent = makeFolders(folderOf(folder));
      if (!isFolder(folder)) {
        makeFolder(folder);
      }
      forceFolder(parent);
    }
    durable.add(folder);
    return folder;
  }

  private static void makeFolder(Path folder) throws IOException {
    try {
      Files.createDirectory(folder, FOLDER_MODE);
    } catch (FileAlreadyExistsException raced) {
      isFolder(folder);
    }
  }

  /**
   * Here and above, the user's own umask and links apply. Whoever made the folders above may not
   * have forced them to disk, and nothing below outlives them; some cannot be forced by everybody.
   */
  private static void makeRoot(Path folder) throws IOException {
    Path parent = folder.getParent();
    if (parent == null) {
      return;
    }
    makeRoot(parent);
    boolean made = !Files.isDirectory(folder);
    if (made) {
      Files.createDirectories(folder, FOLDER_MODE);
    }
    try {
      forceFolder(parent);
    } catch (IOException refused) {
      if (made) {
        throw refused;
      }
    }
  }

  private static FileChannel openNew(Path path) throws IOException {
    return FileChannel.open(
        path,
        Set.of(StandardOpenOption.WRITE, StandardOpenOption.CREATE_NEW, NOFOLLOW_LINKS),
        FILE_MODE);
  }

  private static Path writeTemporary(Path folder, byte[] content) throws IOException {
    byte[] random = new byte[12];
    RANDOM.nextBytes(random);
    Path temporary = folder.resolve(TEMPORARY_PREFIX + HexFormat.of().formatHex(random));
    try (FileChannel channel = openNew(temporary)) {
      ByteBuffer buffer = ByteBuffer.wrap(content);
      while (buffer.hasRemaining()) {
        channel.write(buffer);
      }
      channel.force(true);
    } catch (IOException failed) {
      Files.deleteIfExists(temporary);
      throw failed;
    }
    return temporary;
  }

  /** Every resolved name lies below the root, so it has a folder. */
  static Path folderOf(Path path) {
    return Objects.requireNonNull(path.getParent());
  }

  /**
   * A new name is durable only when its folder is; Linux allows fsync on a folder opened for
   * reading.
   */
  static void forceFolder(Path folder) throws IOException {
    try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
      channel.force(true);
    }
  }
}
