package dev.kindling.benchmarks;

import dev.kindling.worker.checkpoint.CheckpointException;
import dev.kindling.worker.checkpoint.CheckpointStore;
import dev.kindling.worker.checkpoint.Generation;
import dev.kindling.worker.checkpoint.PartKind;
import dev.kindling.worker.event.report.MetricsLog;
import dev.kindling.worker.ledger.LedgerHistory;
import dev.kindling.worker.loop.WorkerTask;
import dev.kindling.worker.store.LocalStorage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;

/**
 * What readers of a run folder rely on, as hashes by name, while an epoch owns it: commits that are
 * listed with the files that they name, epochs, the configuration, ledger and event files of the
 * newest epoch, what metrics and ledger say of steps up to its last one, and of files that
 * everybody appends to what is there already.
 */
final class VisibleFolder {
  private static final List<String> APPENDED = List.of("metrics.jsonl", "history.jsonl");

  private final Path runDir;
  private final long epoch;
  private final long lastStep;
  private final Map<String, Long> lengths = new HashMap<>();
  private final Map<String, String> before;

  /** Reads a folder in which nobody writes now. */
  VisibleFolder(Path runDir, long epoch) throws IOException {
    this.runDir = runDir;
    this.epoch = epoch;
    RunWatch watch = new RunWatch(runDir);
    watch.look();
    this.lastStep = watch.lastStep();
    for (String name : APPENDED) {
      lengths.put(name, Files.size(runDir.resolve(name)));
    }
    this.before = contents();
  }

  /** Names of what has changed, come or gone since. */
  List<String> changed() throws IOException {
    Map<String, String> now = contents();
    TreeSet<String> names = new TreeSet<>(before.keySet());
    names.addAll(now.keySet());
    return names.stream()
        .filter(name -> !before.getOrDefault(name, "").equals(now.getOrDefault(name, "")))
        .toList();
  }

  private Map<String, String> contents() throws IOException {
    Map<String, String> contents = new TreeMap<>();
    commits(contents);
    contents.put("config.yaml", hash(runDir.resolve("config.yaml"), Long.MAX_VALUE));
    for (String folder : List.of("checkpoints/epochs", "events", "ledger")) {
      for (Path file : children(runDir.resolve(folder))) {
        String name = String.valueOf(file.getFileName());
        boolean older = folder.equals("ledger") && !name.startsWith("e%010d".formatted(epoch));
        if (!older && !(folder.equals("events") && name.endsWith(".attempt-1"))) {
          contents.put(folder + "/" + name, hash(file, Long.MAX_VALUE));
        }
      }
    }
    for (String name : APPENDED) {
      contents.put(name, hash(runDir.resolve(name), lengths.getOrDefault(name, 0L)));
    }
    MetricsLog.read(runDir.resolve("metrics.jsonl"))
        .byStep()
        .headMap(lastStep + 1)
        .forEach((step, line) -> contents.put("metrics of step " + step, line.write()));
    LedgerHistory.read(runDir).steps().values().stream()
        .filter(step -> step.epoch() == epoch)
        .forEach(step -> contents.put("ledger of step " + step.step(), step.toString()));
    return contents;
  }

  private void commits(Map<String, String> contents) throws IOException {
    Path root = runDir.resolve(WorkerTask.CHECKPOINTS);
    CheckpointStore store = CheckpointStore.open(new LocalStorage(root), 2);
    for (String id : store.commits()) {
      Path commit = root.resolve("commits").resolve(id + ".json");
      contents.put("commits/" + id, hash(commit, Long.MAX_VALUE));
      try {
        Generation generation = store.generation(id);
        for (PartKind kind : PartKind.values()) {
          for (String part : generation.partPaths(kind)) {
            contents.put(part, hash(root.resolve(part), Long.MAX_VALUE));
          }
        }
      } catch (CheckpointException damaged) {
        contents.put("damaged " + id, String.valueOf(damaged.getMessage()));
      }
    }
  }

  private static List<Path> children(Path folder) throws IOException {
    if (!Files.isDirectory(folder)) {
      return List.of();
    }
    try (Stream<Path> files = Files.list(folder)) {
      return files.toList();
    }
  }

  private static String hash(Path file, long length) throws IOException {
    try {
      byte[] bytes = Files.readAllBytes(file);
      byte[] counted = Arrays.copyOf(bytes, (int) Math.min(bytes.length, length));
      return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(counted));
    } catch (NoSuchAlgorithmException everyJdkHasIt) {
      throw new IllegalStateException(everyJdkHasIt);
    }
  }
}
