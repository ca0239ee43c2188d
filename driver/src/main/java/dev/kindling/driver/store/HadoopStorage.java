package dev.kindling.driver.store;

import dev.kindling.worker.store.Storage;
import dev.kindling.worker.store.StorageEntry;
import dev.kindling.worker.store.StorageInput;
import dev.kindling.worker.store.StorageName;
import dev.kindling.worker.store.StorageOutput;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.EnumSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import org.apache.hadoop.fs.CommonPathCapabilities;
import org.apache.hadoop.fs.CreateFlag;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FSDataOutputStreamBuilder;
import org.apache.hadoop.fs.FileContext;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.MultipartUploader;
import org.apache.hadoop.fs.Options;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.permission.FsPermission;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * {@link Storage} on a Hadoop file system. Parts are written to their own names and never renamed;
 * how a commit is made exclusive is the {@link CommitRule}'s.
 *
 * <p>HDFS: blocks are forced to disk as they are finished ({@code SYNC_BLOCK}) and the last one
 * before the close. Object stores: a file exists from its close on, folders are prefixes of names.
 */
final class HadoopStorage implements Storage {
  private static final Logger LOG = LoggerFactory.getLogger(HadoopStorage.class);
  private static final String TEMPORARY_PREFIX = ".tmp-";
  private static final int BUFFER_BYTES = 1 << 16;
  private static final FsPermission FILE_MODE = new FsPermission((short) 0600);
  private static final FsPermission FOLDER_MODE = new FsPermission((short) 0700);
  private static final SecureRandom RANDOM = new SecureRandom();

  private final FileSystem files;
  private final Path root;
  private final CommitRule rule;

  HadoopStorage(FileSystem files, Path root, CommitRule rule) {
    this.files = files;
    this.root = root;
    this.rule = rule;
  }

  @Override
  public String location() {
    return root.toString();
  }

  /** For people: the place, and what makes commits exclusive there. */
  @Override
  public String toString() {
    return root + ": commits by " + rule.name().toLowerCase(Locale.ROOT).replace('_', ' ');
  }

  @Override
  public List<StorageEntry> list(String folder) throws IOException {
    Path path = resolve(folder);
    List<StorageEntry> entries = new ArrayList<>();
    for (FileStatus status : statuses(path)) {
      String name = status.getPath().getName();
      if (!name.startsWith(TEMPORARY_PREFIX)) {
        entries.add(new StorageEntry(name, kind(status), status.isFile() ? status.getLen() : 0));
      }
    }
    entries.sort(Comparator.comparing(StorageEntry::name));
    return List.copyOf(entries);
  }

  /** Hadoop lists a file as if it were a folder that holds itself. */
  private FileStatus[] statuses(Path folder) throws IOException {
    try {
      FileStatus[] statuses = files.listStatus(folder);
      if (statuses.length == 1
          && statuses[0].isFile()
          && files.makeQualified(statuses[0].getPath()).equals(files.makeQualified(folder))) {
        throw new NotDirectoryException(folder.toString());
      }
      return statuses;
    } catch (FileNotFoundException absent) {
      return new FileStatus[0];
    }
  }

  private static StorageEntry.Kind kind(FileStatus status) {
    if (status.isFile()) {
      return StorageEntry.Kind.FILE;
    }
    return status.isDirectory() ? StorageEntry.Kind.FOLDER : StorageEntry.Kind.OTHER;
  }

  @Override
  public StorageInput open(String name) throws IOException {
    Path path = resolve(name);
    long length = regular(path).getLen();
    try {
      return new HadoopInput(path, files.open(path, BUFFER_BYTES), length);
    } catch (FileNotFoundException gone) {
      throw absent(path, gone);
    }
  }

  @Override
  public StorageOutput create(String name) throws IOException {
    Path path = resolve(name);
    makeFolders(path);
    return new HadoopOutput(files, path, created(path));
  }

  /** An object store only looks whether the name is free; parts have names that nobody shares. */
  private FSDataOutputStream created(Path path) throws IOException {
    try {
      return files.create(
          path,
          FILE_MODE,
          EnumSet.of(CreateFlag.CREATE, CreateFlag.SYNC_BLOCK),
          BUFFER_BYTES,
          files.getDefaultReplication(path),
          files.getDefaultBlockSize(path),
          null);
    } catch (org.apache.hadoop.fs.FileAlreadyExistsException taken) {
      throw alreadyThere(path, taken);
    }
  }

  @Override
  public boolean commitExclusive(String name, byte[] content) throws IOException {
    return commitExclusive(name, content, () -> {});
  }

  @Override
  public boolean commitExclusive(String name, byte[] content, Check last) throws IOException {
    Path path = resolve(name);
    if (files.exists(path)) {
      return false;
    }
    try {
      switch (rule) {
        case RENAME -> renamed(path, content, Options.Rename.NONE, last);
        case CONDITIONAL_PUT -> {
          last.run();
          put(path, content, conditional(path));
        }
        case SINGLE_DRIVER -> {
          last.run();
          put(path, content, created(path));
        }
      }
      return true;
    } catch (IOException unsure) {
      return settled(name, content, unsure);
    }
  }

  /**
   * An error may be a rival's victory, and may also be an answer that got lost after this writer
   * had won: a client that repeats its request is then refused by its own file. The bytes tell.
   */
  private boolean settled(String name, byte[] content, IOException unsure) throws IOException {
    try {
      boolean own =
          length(name) == content.length && Arrays.equals(content, read(name, content.length));
      LOG.debug("{}/{}: ours: {}", root, name, own, unsure);
      return own;
    } catch (NoSuchFileException absent) {
      throw unsure;
    } catch (IOException unreadable) {
      unsure.addSuppressed(unreadable);
      throw unsure;
    }
  }

  /** {@code FileSystem.rename} would answer false for any trouble and move into a folder. */
  private void renamed(Path path, byte[] content, Options.Rename mode, Check last)
      throws IOException {
    makeFolders(path);
    byte[] random = new byte[12];
    RANDOM.nextBytes(random);
    String name = TEMPORARY_PREFIX + HexFormat.of().formatHex(random);
    Path temporary = new Path(Objects.requireNonNull(path.getParent()), name);
    put(temporary, content, created(temporary));
    boolean moved = false;
    try {
      last.run();
      FileContext.getFileContext(files.getUri(), files.getConf()).rename(temporary, path, mode);
      moved = true;
    } finally {
      if (!moved) {
        files.delete(temporary, false);
      }
    }
  }

  private FSDataOutputStream conditional(Path path) throws IOException {
    FSDataOutputStreamBuilder<?, ?> builder = files.createFile(path);
    builder.create().recursive().overwrite(true).must(CommitRule.CONDITIONAL, true);
    return builder.build();
  }

  private void put(Path path, byte[] content, FSDataOutputStream stream) throws IOException {
    try (StorageOutput output = new HadoopOutput(files, path, stream)) {
      output.write(ByteBuffer.wrap(content));
      output.commit();
    }
  }

  @Override
  public void replace(String name, byte[] content) throws IOException {
    Path path = resolve(name);
    if (rule == CommitRule.RENAME) {
      renamed(path, content, Options.Rename.OVERWRITE, () -> {});
    } else {
      put(path, content, files.create(path, true));
    }
  }

  @Override
  public boolean delete(String name) throws IOException {
    Path path = resolve(name);
    try {
      regular(path);
    } catch (NoSuchFileException absent) {
      return false;
    }
    return files.delete(path, false);
  }

  @Override
  public boolean deleteFolder(String folder) throws IOException {
    Path path = resolve(folder);
    try {
      if (!files.getFileStatus(path).isDirectory()) {
        throw new NotDirectoryException(path.toString());
      }
    } catch (FileNotFoundException absent) {
      return false;
    }
    boolean deleted = files.delete(path, true);
    abortUploads(path);
    return deleted;
  }

  /** Unfinished uploads of dead writers are in no listing, and are paid for. */
  private void abortUploads(Path folder) {
    if (rule == CommitRule.RENAME) {
      return;
    }
    try {
      if (files.hasPathCapability(folder, CommonPathCapabilities.FS_MULTIPART_UPLOADER)) {
        try (MultipartUploader uploads = files.createMultipartUploader(folder).build()) {
          uploads.abortUploadsUnderPath(folder).join();
        }
      }
    } catch (IOException | java.util.concurrent.CompletionException left) {
      LOG.warn("{}: unfinished uploads may be left: {}", folder, left.getMessage());
    }
  }

  @Override
  public boolean exists(String name) throws IOException {
    return files.exists(resolve(name));
  }

  @Override
  public long length(String name) throws IOException {
    return regular(resolve(name)).getLen();
  }

  /** Only a rename leaves temporary files. */
  @Override
  public void sweep(String folder) throws IOException {
    if (rule != CommitRule.RENAME) {
      return;
    }
    for (FileStatus status : statuses(resolve(folder))) {
      if (status.isFile() && status.getPath().getName().startsWith(TEMPORARY_PREFIX)) {
        files.delete(status.getPath(), false);
      }
    }
  }

  private Path resolve(String name) {
    return new Path(root, String.join("/", StorageName.components(name)));
  }

  /** On an object store a folder would be one more object. */
  private void makeFolders(Path path) throws IOException {
    if (rule == CommitRule.RENAME) {
      files.mkdirs(Objects.requireNonNull(path.getParent()), FOLDER_MODE);
    }
  }

  private FileStatus regular(Path path) throws IOException {
    try {
      FileStatus status = files.getFileStatus(path);
      if (!status.isFile()) {
        throw new FileSystemException(
            path.toString(), null, "expected a regular file, found a link or a folder");
      }
      return status;
    } catch (FileNotFoundException gone) {
      throw absent(path, gone);
    }
  }

  private static IOException absent(Path path, IOException cause) {
    IOException absent = new NoSuchFileException(path.toString());
    absent.initCause(cause);
    return absent;
  }

  private static IOException alreadyThere(Path path, IOException cause) {
    IOException taken = new FileAlreadyExistsException(path.toString());
    taken.initCause(cause);
    return taken;
  }
}
