package dev.kindling.worker.store;

import java.net.URI;
import java.nio.file.FileSystem;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.WatchEvent;
import java.nio.file.WatchKey;
import java.nio.file.WatchService;

/**
 * A path of a {@link MemoryFileSystem}; its arithmetic is the platform's.
 *
 * @param path of the default file system, for its text alone
 */
record MemoryPath(MemoryFileSystem files, Path path) implements Path {
  private Path with(Path other) {
    return other == null ? null : new MemoryPath(files, other);
  }

  private static Path text(Path other) {
    return ((MemoryPath) other).path;
  }

  @Override
  public FileSystem getFileSystem() {
    return files;
  }

  @Override
  public boolean isAbsolute() {
    return path.isAbsolute();
  }

  @Override
  public Path getRoot() {
    return with(path.getRoot());
  }

  @Override
  public Path getFileName() {
    return with(path.getFileName());
  }

  @Override
  public Path getParent() {
    return with(path.getParent());
  }

  @Override
  public int getNameCount() {
    return path.getNameCount();
  }

  @Override
  public Path getName(int index) {
    return with(path.getName(index));
  }

  @Override
  public Path subpath(int from, int to) {
    return with(path.subpath(from, to));
  }

  @Override
  public boolean startsWith(Path other) {
    return path.startsWith(text(other));
  }

  @Override
  public boolean endsWith(Path other) {
    return path.endsWith(text(other));
  }

  @Override
  public Path normalize() {
    return with(path.normalize());
  }

  @Override
  public Path resolve(Path other) {
    return with(path.resolve(text(other)));
  }

  @Override
  public Path relativize(Path other) {
    return with(path.relativize(text(other)));
  }

  @Override
  public URI toUri() {
    return URI.create("memory:" + path);
  }

  @Override
  public Path toAbsolutePath() {
    return with(path.toAbsolutePath());
  }

  @Override
  public Path toRealPath(LinkOption... options) {
    return toAbsolutePath();
  }

  @Override
  public WatchKey register(
      WatchService watcher, WatchEvent.Kind<?>[] events, WatchEvent.Modifier... modifiers) {
    throw new UnsupportedOperationException();
  }

  @Override
  public int compareTo(Path other) {
    return path.compareTo(text(other));
  }

  @Override
  public String toString() {
    return path.toString();
  }
}
