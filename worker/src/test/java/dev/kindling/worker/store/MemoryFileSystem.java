package dev.kindling.worker.store;

import java.io.IOException;
import java.nio.file.FileStore;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Path;
import java.nio.file.PathMatcher;
import java.nio.file.WatchService;
import java.nio.file.attribute.UserPrincipalLookupService;
import java.nio.file.spi.FileSystemProvider;
import java.util.List;
import java.util.Set;

/**
 * A java.nio file system in memory that tells every call before it does it. It stands below {@link
 * LocalStorage}, whose own order of writes, forces, links and deletions is so under test, and it
 * opens in microseconds on whatever a crash may have left. Links to folders and owners of files are
 * not in it.
 */
public final class MemoryFileSystem extends FileSystem {
  /** Where calls are told; an exception takes the place of the call. */
  public interface Journal {
    void change(LocalCall call) throws IOException;

    /** A call that changes nothing: an opening, a listing, a look at a name, a read. */
    default void look() throws IOException {}
  }

  private final MemoryProvider provider;

  MemoryFileSystem(MemoryNode root, Journal journal) {
    this.provider = new MemoryProvider(this, root, journal);
  }

  /** An empty one. */
  public static MemoryFileSystem create(Journal journal) {
    return new MemoryFileSystem(new MemoryNode(-1), journal);
  }

  @Override
  public FileSystemProvider provider() {
    return provider;
  }

  @Override
  public void close() {
    throw new UnsupportedOperationException();
  }

  @Override
  public boolean isOpen() {
    return true;
  }

  @Override
  public boolean isReadOnly() {
    return false;
  }

  @Override
  public String getSeparator() {
    return "/";
  }

  @Override
  public Iterable<Path> getRootDirectories() {
    return List.of(getPath("/"));
  }

  @Override
  public Iterable<FileStore> getFileStores() {
    return List.of();
  }

  @Override
  public Set<String> supportedFileAttributeViews() {
    return Set.of("basic", "posix");
  }

  @Override
  public Path getPath(String first, String... more) {
    return new MemoryPath(this, Path.of(first, more));
  }

  @Override
  public PathMatcher getPathMatcher(String pattern) {
    PathMatcher matcher = FileSystems.getDefault().getPathMatcher(pattern);
    return path -> matcher.matches(((MemoryPath) path).path());
  }

  @Override
  public UserPrincipalLookupService getUserPrincipalLookupService() {
    throw new UnsupportedOperationException();
  }

  @Override
  public WatchService newWatchService() {
    throw new UnsupportedOperationException();
  }
}
