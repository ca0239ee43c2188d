package dev.kindling.driver.launch;

import dev.kindling.worker.event.CheckpointSaved;
import dev.kindling.worker.event.WorkerEvent;
import dev.kindling.worker.launch.AttemptFailedException;
import dev.kindling.worker.store.Storage;
import dev.kindling.worker.store.StorageEntry;
import dev.kindling.worker.store.StorageLocation;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The driver's own files of a run as local ones. A local run folder is that itself. Of any other,
 * copies lie in a private folder of this machine and are put back whole, the metrics at each
 * commit, since not every store can append. What a dead driver had not put back is told again by
 * the checkpoint.
 */
public final class RunMirror implements RunObserver, AutoCloseable {
  public static final String CONFIG = "config.yaml";
  public static final String METRICS = "metrics.jsonl";
  public static final String EVENTS = "events";

  private static final List<String> FETCHED =
      List.of(CONFIG, METRICS, "history.jsonl", "ranks.jsonl");

  /** Never {@code secrets.properties}: those stay on the driver's machine. */
  private static final List<String> LAST =
      List.of(METRICS, "history.jsonl", "ranks.jsonl", "report.html");

  private static final Logger LOG = LoggerFactory.getLogger(RunMirror.class);
  private static final int MAX_BYTES = 1 << 30;

  /** How long the end of a run waits for a store that hangs. */
  private static final long PATIENCE_SECONDS = 60;

  private final Path folder;
  private final @Nullable Storage remote;

  /** A slow store must not hold up the events of the ranks: one put runs, one more may wait. */
  private final ExecutorService puts =
      Executors.newSingleThreadExecutor(
          body -> {
            Thread thread = new Thread(body, "kindling-metrics");
            thread.setDaemon(true);
            return thread;
          });

  private final AtomicBoolean waiting = new AtomicBoolean();

  private RunMirror(Path folder, @Nullable Storage remote) {
    this.folder = folder;
    this.remote = remote;
  }

  /**
   * Fetches the files of a run, if it has any yet.
   *
   * @param settings of the store, as Spark is given them
   */
  public static RunMirror of(StorageLocation run, Map<String, String> settings) throws IOException {
    if (run.path().isPresent()) {
      return new RunMirror(run.path().get(), null);
    }
    Storage remote = run.open(settings);
    RunMirror mirror = new RunMirror(Files.createTempDirectory("kindling-run-"), remote);
    for (String file : FETCHED) {
      mirror.fetch(remote, file);
    }
    List<StorageEntry> logs = remote.list(RankLogFiles.FOLDER);
    if (!logs.isEmpty()) {
      Files.createDirectory(mirror.folder.resolve(RankLogFiles.FOLDER));
    }
    for (StorageEntry log : logs) {
      mirror.fetch(remote, RankLogFiles.FOLDER + "/" + log.name());
    }
    return mirror;
  }

  private void fetch(Storage from, String file) throws IOException {
    try {
      Files.write(folder.resolve(file), from.read(file, MAX_BYTES));
    } catch (NoSuchFileException absent) {
      LOG.debug("{} has no {} yet", from.location(), file);
    }
  }

  /** Where the files lie on this machine. */
  public Path folder() {
    return folder;
  }

  /** Puts a file back into a run folder that is elsewhere. */
  public void publish(String file) throws IOException {
    Path local = folder.resolve(file);
    if (remote != null && Files.exists(local)) {
      remote.replace(file, Files.readAllBytes(local));
    }
  }

  @Override
  public void attemptStarts(int attempt) {}

  @Override
  public void attemptFailed(int attempt, AttemptFailedException failure, boolean retried) {
    putMetrics();
    if (remote != null) {
      puts.execute(() -> publishFolder(RankLogFiles.FOLDER));
    }
  }

  @Override
  public void emit(WorkerEvent event) {
    if (event instanceof CheckpointSaved) {
      putMetrics();
    }
  }

  private void putMetrics() {
    if (remote != null && waiting.compareAndSet(false, true)) {
      puts.execute(
          () -> {
            waiting.set(false);
            tryToPublish(METRICS);
          });
    }
  }

  /** A store that refuses the metrics is no reason to end a run: the next commit puts them all. */
  private void tryToPublish(String file) {
    try {
      publish(file);
    } catch (IOException failed) {
      LOG.warn("{} could not be put into the run folder: {}", file, failed.toString());
    }
  }

  /** Everything but the configuration, which went there when it was written. */
  private void publishLast() {
    LAST.forEach(this::tryToPublish);
    publishFolder(EVENTS);
    publishFolder(RankLogFiles.FOLDER);
  }

  private void publishFolder(String name) {
    Path local = folder.resolve(name);
    if (Files.isDirectory(local)) {
      try (Stream<Path> files = Files.list(local)) {
        files.forEach(file -> tryToPublish(name + "/" + file.getFileName()));
      } catch (IOException failed) {
        LOG.warn("{} could not be put into the run folder: {}", name, failed.toString());
      }
    }
  }

  /** The last lines go to the run folder, and the copies away. */
  @Override
  public void close() {
    if (remote == null) {
      return;
    }
    puts.execute(this::publishLast);
    puts.shutdown();
    try {
      if (!puts.awaitTermination(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
        LOG.warn("{} is not in the run folder yet; it stays in {}", METRICS, folder);
        return;
      }
    } catch (InterruptedException stopped) {
      Thread.currentThread().interrupt();
      return;
    }
    try (Stream<Path> copies = Files.walk(folder)) {
      for (Path copy : copies.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(copy);
      }
    } catch (IOException left) {
      throw new UncheckedIOException(left);
    }
  }
}
