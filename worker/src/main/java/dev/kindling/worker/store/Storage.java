package dev.kindling.worker.store;

import java.io.IOException;
import java.util.List;

/**
 * A folder tree of write-once files. All names are relative, checked by {@link StorageName}, and
 * use {@code /}.
 *
 * <p>Two ways to write, and no third: {@link #create} streams a large file that nobody lists until
 * something small names it, and {@link #commitExclusive} makes a small object visible whole, to one
 * writer only. There is no rename and no append, because object stores have neither.
 * Implementations never follow a symbolic link below their root.
 *
 * <p>Absent files are reported as {@link java.nio.file.NoSuchFileException}, taken names as {@link
 * java.nio.file.FileAlreadyExistsException}; every other trouble is a plain {@link IOException}
 * that names the file.
 */
public interface Storage {
  /** What a person should read in a message: a path or a URI without secrets. */
  String location();

  /**
   * Entries directly inside a folder, sorted by name; empty when the folder is absent. Half-made
   * files are not shown.
   */
  List<StorageEntry> list(String folder) throws IOException;

  /** Opens a regular file for positional reads. */
  StorageInput open(String name) throws IOException;

  /**
   * Starts a new file; fails if the name exists. Parents are created. Invisible durability: see
   * {@link StorageOutput#commit}.
   */
  StorageOutput create(String name) throws IOException;

  /**
   * Makes a small object visible whole and durable, to one caller only. An answer that got lost is
   * told from a defeat by the content, so rivals must not write the same bytes.
   *
   * @return false if the name was taken: of several concurrent callers exactly one gets true
   */
  boolean commitExclusive(String name, byte[] content) throws IOException;

  /** What must still hold when an object becomes visible; throws if it does not. */
  @FunctionalInterface
  interface Check {
    void run() throws IOException;
  }

  /**
   * As {@link #commitExclusive(String, byte[])}, with a check as late as the store allows. Where a
   * half-made file comes first the check is made when that file is there: whoever ends what the
   * check asks for and sweeps then finds either the object or the file, and nothing becomes visible
   * after that sweep. A store with a single request is asked before it.
   */
  default boolean commitExclusive(String name, byte[] content, Check last) throws IOException {
    last.run();
    return commitExclusive(name, content);
  }

  /** Puts an advisory object, replacing what was there. Readers must be able to live without it. */
  void replace(String name, byte[] content) throws IOException;

  /**
   * Deletes a file or a symbolic link, never what it points at. Returns false if there was nothing.
   */
  boolean delete(String name) throws IOException;

  /**
   * Deletes a folder and everything in it, links unfollowed. Returns false if there was nothing.
   */
  boolean deleteFolder(String folder) throws IOException;

  boolean exists(String name) throws IOException;

  /** Length of a regular file in bytes. */
  long length(String name) throws IOException;

  /**
   * Removes half-made files that dead writers left directly in this folder; only the owner of the
   * folder may call it.
   */
  void sweep(String folder) throws IOException;

  /**
   * Reads a small file whole; refuses one that is longer than {@code maxBytes} before reading it.
   */
  default byte[] read(String name, int maxBytes) throws IOException {
    try (StorageInput input = open(name)) {
      long length = input.length();
      if (length > maxBytes) {
        throw new IOException(
            location() + "/" + name + ": expected at most " + maxBytes + " bytes, found " + length);
      }
      java.nio.ByteBuffer content = java.nio.ByteBuffer.allocate((int) length);
      input.readFully(0, content);
      return content.array();
    }
  }
}
