package dev.kindling.driver.store;

import java.io.ByteArrayOutputStream;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.net.URI;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FSDataOutputStreamBuilder;
import org.apache.hadoop.fs.FileAlreadyExistsException;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.PathIOException;
import org.apache.hadoop.fs.permission.FsPermission;
import org.apache.hadoop.util.Progressable;
import org.jspecify.annotations.Nullable;

/**
 * A file system with the semantics of S3A, in memory, as its documents state them: an object
 * appears whole when its stream is closed; of several writers the last one wins unless the upload
 * is conditional; a create without overwrite looks only when it begins; folders are prefixes;
 * listings are consistent; a rename copies and deletes object by object. A model, never compared
 * with a real store.
 */
public final class ObjectStore extends FileSystem {
  /**
   * One request that changes objects.
   *
   * @param content of the object that appears, null if the named ones go
   */
  record Change(List<String> names, @Nullable byte[] content) {}

  /** Where requests are told. */
  interface Journal {
    void change(Change change) throws IOException;

    /** Any request, one that changes something too. */
    default void request() throws IOException {}
  }

  /** How the store behaves; shared by all clients of a bucket. */
  static final class Bucket {
    final ConcurrentSkipListMap<String, byte[]> objects = new ConcurrentSkipListMap<>();

    /** Streams that were neither closed nor aborted. */
    final Set<Object> uploads = ConcurrentHashMap.newKeySet();

    final AtomicInteger renames = new AtomicInteger();

    /** Requests until one fails; none does at 0 or below. */
    final AtomicInteger untilFailure = new AtomicInteger();

    /** Where changes are told before they happen; an exception takes the place of one. */
    volatile Journal journal = change -> {};

    /** Whether conditional uploads are offered. */
    volatile boolean conditional = true;

    /** Whether the store does what it is asked and its answer gets lost. */
    volatile boolean losesAnswers;

    void request() throws IOException {
      journal.request();
      if (untilFailure.get() > 0 && untilFailure.decrementAndGet() == 0) {
        throw new IOException("503 Slow Down");
      }
    }
  }

  private static final ConcurrentHashMap<String, Bucket> BUCKETS = new ConcurrentHashMap<>();

  private URI uri = URI.create("s3a://none");
  private Bucket bucket = new Bucket();

  static Bucket bucket(String name) {
    return BUCKETS.computeIfAbsent(name, absent -> new Bucket());
  }

  /** A client of a bucket that only the caller knows. */
  static ObjectStore of(Bucket bucket) {
    ObjectStore store = new ObjectStore();
    store.uri = URI.create("s3a://memory");
    store.bucket = bucket;
    store.setConf(new Configuration(false));
    return store;
  }

  static ObjectStore open(String name) throws IOException {
    ObjectStore store = new ObjectStore();
    store.initialize(URI.create("s3a://" + name), new Configuration());
    return store;
  }

  @Override
  public void initialize(URI name, Configuration settings) throws IOException {
    super.initialize(name, settings);
    uri = URI.create("s3a://" + name.getHost());
    bucket = bucket(name.getHost());
    setConf(settings);
  }

  @Override
  public String getScheme() {
    return "s3a";
  }

  @Override
  public URI getUri() {
    return uri;
  }

  private static String key(Path path) {
    return path.toUri().getPath().substring(1);
  }

  private static String prefix(Path folder) {
    return key(folder) + "/";
  }

  @Override
  public boolean hasPathCapability(Path path, String capability) throws IOException {
    return capability.equals(CommitRule.CONDITIONAL)
        ? bucket.conditional
        : super.hasPathCapability(path, capability);
  }

  @Override
  public FSDataInputStream open(Path path, int bufferBytes) throws IOException {
    FileStatus status = getFileStatus(path);
    byte[] content = bucket.objects.get(key(path));
    if (content == null || status.isDirectory()) {
      throw new FileNotFoundException(path.toString());
    }
    return new FSDataInputStream(new MemoryInput(content));
  }

  @Override
  public FSDataOutputStream create(
      Path path,
      FsPermission permission,
      boolean overwrite,
      int bufferBytes,
      short replication,
      long blockBytes,
      Progressable progress)
      throws IOException {
    bucket.request();
    if (!overwrite && bucket.objects.containsKey(key(path))) {
      throw new FileAlreadyExistsException(path.toString());
    }
    return upload(path, false);
  }

  private FSDataOutputStream upload(Path path, boolean ifAbsent) throws IOException {
    return new FSDataOutputStream(new Upload(path, ifAbsent), null);
  }

  @Override
  public FSDataOutputStreamBuilder<?, ?> createFile(Path path) {
    return new Creation(this, path);
  }

  private static final class Creation
      extends FSDataOutputStreamBuilder<FSDataOutputStream, Creation> {
    private final ObjectStore store;

    Creation(ObjectStore store, Path path) {
      super(store, path);
      this.store = store;
    }

    @Override
    public Creation getThisBuilder() {
      return this;
    }

    @Override
    public FSDataOutputStream build() throws IOException {
      Set<String> known = store.bucket.conditional ? Set.of(CommitRule.CONDITIONAL) : Set.of();
      rejectUnknownMandatoryKeys(known, "for " + getPath());
      store.bucket.request();
      return store.upload(getPath(), getOptions().getBoolean(CommitRule.CONDITIONAL, false));
    }
  }

  /** Its parts are in the store from the first byte on, and in no listing until the close. */
  private final class Upload extends ByteArrayOutputStream
      implements org.apache.hadoop.fs.Abortable, org.apache.hadoop.fs.StreamCapabilities {
    private final Path path;
    private final boolean ifAbsent;
    private boolean ended;

    Upload(Path path, boolean ifAbsent) {
      this.path = path;
      this.ifAbsent = ifAbsent;
      bucket.uploads.add(this);
    }

    @Override
    public boolean hasCapability(String capability) {
      return capability.equals(org.apache.hadoop.fs.StreamCapabilities.ABORTABLE_STREAM);
    }

    @Override
    public void close() throws IOException {
      if (ended) {
        return;
      }
      ended = true;
      bucket.request();
      bucket.uploads.remove(this);
      if (!ifAbsent || !bucket.objects.containsKey(key(path))) {
        bucket.journal.change(new Change(List.of(key(path)), toByteArray()));
      }
      if (!ifAbsent) {
        bucket.objects.put(key(path), toByteArray());
      } else if (bucket.objects.putIfAbsent(key(path), toByteArray()) != null) {
        throw new PathIOException(path.toString(), "412 Precondition Failed");
      }
      if (bucket.losesAnswers) {
        throw new PathIOException(path.toString(), "connection reset");
      }
    }

    @Override
    public AbortableResult abort() {
      boolean late = !bucket.uploads.remove(this);
      ended = true;
      return new AbortableResult() {
        @Override
        public boolean alreadyClosed() {
          return late;
        }

        @Override
        public IOException anyCleanupException() {
          return null;
        }
      };
    }
  }

  @Override
  public FSDataOutputStream append(Path path, int bufferBytes, Progressable progress) {
    throw new UnsupportedOperationException("no append");
  }

  @Override
  public boolean rename(Path from, Path to) throws IOException {
    bucket.renames.incrementAndGet();
    for (String name : List.copyOf(bucket.objects.keySet())) {
      if (name.equals(key(from)) || name.startsWith(prefix(from))) {
        bucket.request();
        bucket.objects.put(key(to) + name.substring(key(from).length()), bucket.objects.get(name));
        bucket.request();
        bucket.objects.remove(name);
      }
    }
    return true;
  }

  @Override
  public boolean delete(Path path, boolean recursive) throws IOException {
    List<String> names = new ArrayList<>();
    for (String name : List.copyOf(bucket.objects.keySet())) {
      if (name.equals(key(path)) || (recursive && name.startsWith(prefix(path)))) {
        names.add(name);
      }
    }
    if (!names.isEmpty()) {
      bucket.journal.change(new Change(names, null));
    }
    boolean deleted = false;
    for (String name : names) {
      bucket.request();
      deleted |= bucket.objects.remove(name) != null;
    }
    return deleted;
  }

  @Override
  public FileStatus[] listStatus(Path folder) throws IOException {
    bucket.request();
    byte[] object = bucket.objects.get(key(folder));
    if (object != null) {
      return new FileStatus[] {file(folder, object)};
    }
    TreeMap<String, FileStatus> children = new TreeMap<>();
    bucket
        .objects
        .tailMap(prefix(folder))
        .forEach(
            (name, content) -> {
              if (name.startsWith(prefix(folder))) {
                String rest = name.substring(prefix(folder).length());
                int slash = rest.indexOf('/');
                String child = slash < 0 ? rest : rest.substring(0, slash);
                Path path = new Path(folder, child);
                children.put(child, slash < 0 ? file(path, content) : directory(path));
              }
            });
    if (children.isEmpty()) {
      throw new FileNotFoundException(folder.toString());
    }
    return new ArrayList<>(children.values()).toArray(FileStatus[]::new);
  }

  private FileStatus file(Path path, byte[] content) {
    return new FileStatus(content.length, false, 1, 1 << 20, 0, makeQualified(path));
  }

  private FileStatus directory(Path path) {
    return new FileStatus(0, true, 1, 0, 0, makeQualified(path));
  }

  @Override
  public FileStatus getFileStatus(Path path) throws IOException {
    bucket.request();
    byte[] content = bucket.objects.get(key(path));
    if (content != null) {
      return file(path, content);
    }
    String next = bucket.objects.ceilingKey(prefix(path));
    if (next == null || !next.startsWith(prefix(path))) {
      throw new FileNotFoundException(path.toString());
    }
    return directory(path);
  }

  @Override
  public boolean mkdirs(Path path, FsPermission permission) {
    return true;
  }

  @Override
  public void setWorkingDirectory(Path folder) {}

  @Override
  public Path getWorkingDirectory() {
    return new Path(uri.toString() + "/");
  }
}
