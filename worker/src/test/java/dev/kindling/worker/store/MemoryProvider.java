package dev.kindling.worker.store;

import java.io.IOException;
import java.net.URI;
import java.nio.channels.FileChannel;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.AccessMode;
import java.nio.file.CopyOption;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileStore;
import java.nio.file.FileSystem;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.FileAttributeView;
import java.nio.file.spi.FileSystemProvider;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;

/** What {@link java.nio.file.Files} asks of a {@link MemoryFileSystem}; one call at a time. */
final class MemoryProvider extends FileSystemProvider {
  private final MemoryFileSystem files;
  private final MemoryNode root;
  private final MemoryFileSystem.Journal journal;
  private int newest = 1_000_000;

  MemoryProvider(MemoryFileSystem files, MemoryNode root, MemoryFileSystem.Journal journal) {
    this.files = files;
    this.root = root;
    this.journal = journal;
  }

  private MemoryNode find(Path path) {
    MemoryNode node = root;
    for (Path name : ((MemoryPath) path.toAbsolutePath()).path()) {
      node = node == null ? null : node.entries.get(name.toString());
    }
    return node;
  }

  private MemoryNode existing(Path path) throws NoSuchFileException {
    MemoryNode node = find(path);
    if (node == null) {
      throw new NoSuchFileException(path.toString());
    }
    return node;
  }

  private MemoryNode folder(Path path) throws IOException {
    MemoryNode node = existing(path);
    if (!node.isFolder()) {
      throw new NotDirectoryException(path.toString());
    }
    return node;
  }

  private MemoryNode folderOf(Path path) throws IOException {
    return folder(Objects.requireNonNull(path.toAbsolutePath().getParent()));
  }

  private static String name(Path path) {
    return path.getFileName().toString();
  }

  private void add(Path path, MemoryNode node) throws IOException {
    MemoryNode folder = folderOf(path);
    if (folder.entries.containsKey(name(path))) {
      throw new FileAlreadyExistsException(path.toString());
    }
    journal.change(new LocalCall.Entries(folder.number, Map.of(name(path), node.number)));
    folder.entries.put(name(path), node);
  }

  void append(MemoryNode file, byte[] content) throws IOException {
    synchronized (this) {
      journal.change(new LocalCall.Written(file.number, content));
      byte[] longer = java.util.Arrays.copyOf(file.content, file.content.length + content.length);
      System.arraycopy(content, 0, longer, file.content.length, content.length);
      file.content = longer;
    }
  }

  void force(MemoryNode node) throws IOException {
    synchronized (this) {
      journal.change(new LocalCall.Forced(node.number));
    }
  }

  byte[] content(MemoryNode file) throws IOException {
    synchronized (this) {
      journal.look();
      return file.content;
    }
  }

  @Override
  public synchronized FileChannel newFileChannel(
      Path path, Set<? extends OpenOption> options, FileAttribute<?>... attributes)
      throws IOException {
    if (options.contains(StandardOpenOption.CREATE_NEW)) {
      add(path, new MemoryNode(++newest));
    } else {
      journal.look();
    }
    return new MemoryChannel(this, existing(path));
  }

  @Override
  public SeekableByteChannel newByteChannel(
      Path path, Set<? extends OpenOption> options, FileAttribute<?>... attributes)
      throws IOException {
    return newFileChannel(path, options, attributes);
  }

  @Override
  public synchronized DirectoryStream<Path> newDirectoryStream(
      Path path, DirectoryStream.Filter<? super Path> filter) throws IOException {
    journal.look();
    List<Path> children = new ArrayList<>();
    for (String name : folder(path).entries.keySet()) {
      if (filter.accept(path.resolve(name))) {
        children.add(path.resolve(name));
      }
    }
    return new DirectoryStream<>() {
      @Override
      public Iterator<Path> iterator() {
        return children.iterator();
      }

      @Override
      public void close() {}
    };
  }

  @Override
  public synchronized void createDirectory(Path path, FileAttribute<?>... attributes)
      throws IOException {
    add(path, new MemoryNode(- ++newest));
  }

  @Override
  public synchronized void createLink(Path link, Path existing) throws IOException {
    add(link, existing(existing));
  }

  @Override
  public synchronized void delete(Path path) throws IOException {
    MemoryNode node = existing(path);
    if (!node.entries.isEmpty()) {
      throw new DirectoryNotEmptyException(path.toString());
    }
    MemoryNode folder = folderOf(path);
    journal.change(new LocalCall.Entries(folder.number, Map.of(name(path), LocalCall.NOTHING)));
    folder.entries.remove(name(path));
  }

  @Override
  public synchronized void move(Path from, Path to, CopyOption... options) throws IOException {
    MemoryNode node = existing(from);
    MemoryNode folder = folderOf(to);
    if (folderOf(from) != folder) {
      throw new UnsupportedOperationException("a rename into another folder");
    }
    Map<String, Integer> nodes = Map.of(name(from), LocalCall.NOTHING, name(to), node.number);
    journal.change(new LocalCall.Entries(folder.number, nodes));
    folder.entries.remove(name(from));
    folder.entries.put(name(to), node);
  }

  @Override
  public synchronized void checkAccess(Path path, AccessMode... modes) throws IOException {
    existing(path);
  }

  @Override
  public synchronized <A extends BasicFileAttributes> A readAttributes(
      Path path, Class<A> type, LinkOption... options) throws IOException {
    journal.look();
    return type.cast(new MemoryAttributes(existing(path)));
  }

  @Override
  public boolean isSameFile(Path one, Path other) {
    return one.equals(other);
  }

  @Override
  public boolean isHidden(Path path) {
    return false;
  }

  @Override
  public String getScheme() {
    return "memory";
  }

  @Override
  public FileSystem newFileSystem(URI uri, Map<String, ?> environment) {
    throw new UnsupportedOperationException();
  }

  @Override
  public FileSystem getFileSystem(URI uri) {
    return files;
  }

  @Override
  public Path getPath(URI uri) {
    throw new UnsupportedOperationException();
  }

  @Override
  public void copy(Path from, Path to, CopyOption... options) {
    throw new UnsupportedOperationException();
  }

  @Override
  public FileStore getFileStore(Path path) {
    throw new UnsupportedOperationException();
  }

  @Override
  public <V extends FileAttributeView> V getFileAttributeView(
      Path path, Class<V> type, LinkOption... options) {
    throw new UnsupportedOperationException();
  }

  @Override
  public Map<String, Object> readAttributes(Path path, String names, LinkOption... options) {
    throw new UnsupportedOperationException();
  }

  @Override
  public void setAttribute(Path path, String name, Object value, LinkOption... options) {
    throw new UnsupportedOperationException();
  }
}
