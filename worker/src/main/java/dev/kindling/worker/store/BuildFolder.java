package dev.kindling.worker.store;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.Objects;
import java.util.Optional;
import java.util.UUID;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The folder beside a target in which one process builds it; gone when it is closed, unless it was
 * renamed onto the target.
 *
 * <p>A lock file beside it, older than the folder and deleted after it, tells the builds at work
 * from what killed builders left.
 */
public final class BuildFolder implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(BuildFolder.class);
  private static final String MARK = ".building-";
  private static final String LOCK = ".lock";
  private static final String UUID_LENGTH = "?".repeat(36);

  private final Path folder;
  private final OwnerLock lock;

  private BuildFolder(Path folder, OwnerLock lock) {
    this.folder = folder;
    this.lock = lock;
  }

  /** A new and empty one. */
  public static BuildFolder beside(Path target) throws IOException {
    Files.createDirectories(parent(target));
    Path folder = target.resolveSibling(target.getFileName() + MARK + UUID.randomUUID());
    OwnerLock lock =
        OwnerLock.take(lockOf(folder))
            .orElseThrow(() -> new IllegalStateException(folder + ": a random name twice"));
    Files.createDirectory(folder);
    return new BuildFolder(folder, lock);
  }

  /** Where to build; deleted by {@link #close} unless it was renamed. */
  public Path path() {
    return folder;
  }

  /** Deletes what killed builders left beside a target; what cannot be deleted stays. */
  public static void sweep(Path target) {
    if (!Files.isDirectory(parent(target))) {
      return;
    }
    try (DirectoryStream<Path> left =
        Files.newDirectoryStream(parent(target), "*" + MARK + UUID_LENGTH)) {
      for (Path folder : left) {
        Optional<OwnerLock> lock = OwnerLock.take(lockOf(folder));
        if (lock.isPresent() && lock.get().enforced()) {
          new BuildFolder(folder, lock.get()).close();
        } else if (lock.isPresent()) {
          lock.get().close();
        }
      }
    } catch (IOException e) {
      LOG.debug("leftovers beside {} stay", target, e);
    }
  }

  private static Path lockOf(Path folder) {
    return folder.resolveSibling(folder.getFileName() + LOCK);
  }

  private static Path parent(Path target) {
    return Objects.requireNonNull(target.getParent(), "an absolute target has a parent");
  }

  /** Deletes it; a failure is only logged, since the error that led here says more. */
  @Override
  public void close() {
    try (lock) {
      delete(folder);
      Files.deleteIfExists(lockOf(folder));
    } catch (IOException e) {
      LOG.debug("{} stays until the next start", folder, e);
    }
  }

  /** Deletes a folder with all that is in it; one that is absent is fine. */
  public static void delete(Path folder) throws IOException {
    if (!Files.exists(folder)) {
      return;
    }
    try (Stream<Path> tree = Files.walk(folder)) {
      for (Path path : tree.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(path);
      }
    }
  }
}
