package dev.kindling.driver.store;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.OutputStream;
import java.net.URI;
import java.net.URISyntaxException;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.DelegateToFileSystem;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileAlreadyExistsException;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.StreamCapabilities;
import org.apache.hadoop.fs.Syncable;
import org.apache.hadoop.fs.permission.FsPermission;
import org.apache.hadoop.util.Progressable;

/**
 * A file system with the semantics of HDFS, in memory, that tells every call before it does it: one
 * name node whose edits happen in order, a rename in one of them, and files that data nodes keep as
 * far as they were synced.
 */
final class MemoryHdfs extends FileSystem {
  private static final URI HERE = URI.create("hdfs://memory");

  /** Where calls are told; an exception takes the place of the call. */
  interface Journal {
    void change(HdfsCall call) throws IOException;

    /** A call that changes nothing. */
    default void look() throws IOException {}
  }

  /** Hadoop makes a client for renames by itself, from the settings alone. */
  static final class Settings extends Configuration {
    private final MemoryHdfs files;

    Settings(MemoryHdfs files) {
      super(false);
      this.files = files;
      set("fs.AbstractFileSystem.hdfs.impl", Context.class.getName());
    }
  }

  /** The other client. */
  static final class Context extends DelegateToFileSystem {
    Context(URI uri, Configuration settings) throws IOException, URISyntaxException {
      super(uri, ((Settings) settings).files, settings, "hdfs", true);
    }

    @Override
    public void renameInternal(Path from, Path to, boolean overwrite) throws IOException {
      ((MemoryHdfs) fsImpl).renameInOneEdit(from, to, overwrite);
    }
  }

  private final HdfsNames names;
  private final Map<Integer, byte[]> contents;
  private final Journal journal;
  private final boolean syncs;
  private int newest;

  /**
   * @param syncs whether streams offer {@code hsync}
   */
  MemoryHdfs(HdfsNames names, Map<Integer, byte[]> contents, Journal journal, boolean syncs) {
    this.names = names;
    this.contents = new HashMap<>(contents);
    this.journal = journal;
    this.syncs = syncs;
    this.newest = contents.keySet().stream().mapToInt(node -> node).max().orElse(0);
    setConf(new Settings(this));
  }

  private static String key(Path path) {
    return path.toUri().getPath();
  }

  private void change(HdfsCall call) throws IOException {
    journal.change(call);
    names.apply(call);
  }

  private synchronized void renameInOneEdit(Path from, Path to, boolean overwrite)
      throws IOException {
    if (!overwrite && names.nodes.containsKey(key(to))) {
      throw new FileAlreadyExistsException(to.toString());
    }
    change(new HdfsCall.Renamed(key(from), key(to)));
  }

  @Override
  public synchronized FSDataOutputStream create(
      Path path,
      FsPermission permission,
      boolean overwrite,
      int bufferBytes,
      short replication,
      long blockBytes,
      Progressable progress)
      throws IOException {
    if (names.nodes.containsKey(key(path))) {
      throw new FileAlreadyExistsException(path.toString());
    }
    int node = ++newest;
    change(new HdfsCall.Made(key(path), node));
    contents.put(node, new byte[0]);
    return new FSDataOutputStream(new Writing(node), null);
  }

  private final class Writing extends OutputStream implements Syncable, StreamCapabilities {
    private final int node;
    private boolean closed;

    Writing(int node) {
      this.node = node;
    }

    @Override
    public void write(int value) throws IOException {
      write(new byte[] {(byte) value}, 0, 1);
    }

    @Override
    public void write(byte[] source, int offset, int count) throws IOException {
      byte[] added = Arrays.copyOfRange(source, offset, offset + count);
      synchronized (MemoryHdfs.this) {
        change(new HdfsCall.Written(node, added));
        byte[] before = contents.get(node);
        byte[] after = Arrays.copyOf(before, before.length + count);
        System.arraycopy(added, 0, after, before.length, count);
        contents.put(node, after);
      }
    }

    @Override
    public void hflush() {}

    @Override
    public void hsync() throws IOException {
      synchronized (MemoryHdfs.this) {
        change(new HdfsCall.Synced(node));
      }
    }

    @Override
    public boolean hasCapability(String capability) {
      return syncs && capability.equals(StreamCapabilities.HSYNC);
    }

    @Override
    public void close() throws IOException {
      synchronized (MemoryHdfs.this) {
        if (!closed) {
          closed = true;
          change(new HdfsCall.Closed(node));
        }
      }
    }
  }

  @Override
  public synchronized FSDataInputStream open(Path path, int bufferBytes) throws IOException {
    FileStatus status = getFileStatus(path);
    if (status.isDirectory()) {
      throw new FileNotFoundException(path.toString());
    }
    return new FSDataInputStream(new MemoryInput(contents.get(names.nodes.get(key(path)))));
  }

  @Override
  public synchronized boolean delete(Path path, boolean recursive) throws IOException {
    if (!names.nodes.containsKey(key(path))) {
      return false;
    }
    change(new HdfsCall.Deleted(key(path)));
    return true;
  }

  @Override
  public synchronized boolean mkdirs(Path path, FsPermission permission) throws IOException {
    if (path.isRoot() || names.nodes.containsKey(key(path))) {
      return true;
    }
    mkdirs(path.getParent(), permission);
    change(new HdfsCall.Made(key(path), 0));
    return true;
  }

  @Override
  public synchronized FileStatus[] listStatus(Path folder) throws IOException {
    FileStatus status = getFileStatus(folder);
    if (status.isFile()) {
      return new FileStatus[] {status};
    }
    return names.below(key(folder)).stream()
        .map(Path::new)
        .filter(path -> path.getParent().equals(new Path(key(folder))))
        .map(this::status)
        .toArray(FileStatus[]::new);
  }

  private FileStatus status(Path path) {
    int node = names.nodes.get(key(path));
    long bytes = node == 0 ? 0 : contents.get(node).length;
    return new FileStatus(bytes, node == 0, 1, 1 << 20, 0, makeQualified(path));
  }

  @Override
  public synchronized FileStatus getFileStatus(Path path) throws IOException {
    journal.look();
    if (!names.nodes.containsKey(key(path))) {
      throw new FileNotFoundException(path.toString());
    }
    return status(path);
  }

  @Override
  public void initialize(URI uri, Configuration settings) {
    // Done; the client for renames asks again.
    return;
  }

  @Override
  protected int getDefaultPort() {
    return 8020;
  }

  @Override
  public URI getUri() {
    return HERE;
  }

  @Override
  public FSDataOutputStream append(Path path, int bufferBytes, Progressable progress) {
    throw new UnsupportedOperationException("write-once");
  }

  @Override
  public boolean rename(Path from, Path to) {
    throw new UnsupportedOperationException("answers false for any trouble");
  }

  @Override
  public void setWorkingDirectory(Path folder) {}

  @Override
  public Path getWorkingDirectory() {
    return new Path(HERE + "/");
  }
}
