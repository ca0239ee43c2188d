package dev.kindling.worker.store;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A file that one process keeps locked while it works on what the file stands for, and that names
 * this process. The operating system gives up the lock of a process that dies, however it dies, so
 * that nobody ever has to judge whether an owner is stale.
 */
public final class OwnerLock implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(OwnerLock.class);
  private static final long POLL_MILLIS = 20;
  private static final int MAX_OWNER_BYTES = 1000;

  /**
   * Files locked by this process. They are not opened a second time: POSIX gives up all locks that
   * a process has on a file as soon as it closes any descriptor of that file.
   */
  private static final Set<Path> OURS = ConcurrentHashMap.newKeySet();

  private final Path file;
  private final FileChannel channel;
  private final boolean enforced;

  private OwnerLock(Path file, FileChannel channel, boolean enforced) {
    this.file = file;
    this.channel = channel;
    this.enforced = enforced;
  }

  /**
   * Takes the lock if nobody has it. On a file system without locks a warning is logged and nobody
   * is kept away.
   *
   * @param file made if it is absent, in a folder that exists
   * @return nothing if another process has it, or another part of this one
   */
  public static Optional<OwnerLock> take(Path file) throws IOException {
    Path real = LocalStorage.folderOf(file.toAbsolutePath()).toRealPath().resolve(name(file));
    if (!OURS.add(real)) {
      return Optional.empty();
    }
    @Nullable OwnerLock taken = null;
    try {
      taken = open(real);
    } finally {
      if (taken == null) {
        OURS.remove(real);
      }
    }
    return Optional.ofNullable(taken);
  }

  /**
   * As {@link #take(Path)}, waiting for a while: a killed process with much memory holds its lock
   * until the kernel has cleared it away.
   */
  public static Optional<OwnerLock> take(Path file, Duration patience)
      throws IOException, InterruptedException {
    long deadline = System.nanoTime() + patience.toNanos();
    Optional<OwnerLock> lock = take(file);
    while (lock.isEmpty() && System.nanoTime() < deadline) {
      TimeUnit.MILLISECONDS.sleep(POLL_MILLIS);
      lock = take(file);
    }
    return lock;
  }

  private static @Nullable OwnerLock open(Path file) throws IOException {
    FileChannel channel =
        FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
    @Nullable OwnerLock taken = null;
    try {
      Optional<Boolean> enforced = lock(channel, file);
      if (enforced.isPresent()) {
        channel.truncate(0);
        channel.write(ByteBuffer.wrap(self().getBytes(StandardCharsets.UTF_8)));
        taken = new OwnerLock(file, channel, enforced.get());
      }
      return taken;
    } finally {
      if (taken == null) {
        channel.close();
      }
    }
  }

  /** Whether the file system keeps others away; nothing if somebody else has the lock. */
  private static Optional<Boolean> lock(FileChannel channel, Path file) {
    try {
      @Nullable FileLock lock = channel.tryLock();
      return lock == null ? Optional.empty() : Optional.of(true);
    } catch (IOException unsupported) {
      LOG.warn(
          "{}: this file system has no locks ({}); make sure that nobody else works there",
          file,
          unsupported.getMessage());
      return Optional.of(false);
    }
  }

  /** False on a file system without locks, where another owner may be at work as well. */
  public boolean enforced() {
    return enforced;
  }

  /** The owner's process, host and start, as far as the file tells; for messages. */
  public static String owner(Path file) {
    try {
      Path real = LocalStorage.folderOf(file.toAbsolutePath()).toRealPath().resolve(name(file));
      if (OURS.contains(real)) {
        return self();
      }
      byte[] text = Files.readAllBytes(real);
      return text.length == 0 || text.length > MAX_OWNER_BYTES
          ? "an unnamed process"
          : new String(text, StandardCharsets.UTF_8);
    } catch (IOException unreadable) {
      return "an unnamed process";
    }
  }

  private static Path name(Path file) {
    return java.util.Objects.requireNonNull(file.getFileName());
  }

  private static String self() {
    ProcessHandle process = ProcessHandle.current();
    String start = process.info().startInstant().map(Object::toString).orElse("an unknown time");
    return "pid " + process.pid() + " on " + host() + ", started " + start;
  }

  /** From the kernel: a look-up of the own name may ask a network. */
  private static String host() {
    try {
      return Files.readString(Path.of("/proc/sys/kernel/hostname"), StandardCharsets.UTF_8).trim();
    } catch (IOException unknown) {
      return "an unknown host";
    }
  }

  /** Frees the lock; the file stays, empty. */
  @Override
  public void close() throws IOException {
    try (channel) {
      channel.truncate(0);
    } finally {
      OURS.remove(file);
    }
  }
}
