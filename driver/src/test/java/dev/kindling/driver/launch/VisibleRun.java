package dev.kindling.driver.launch;

import dev.kindling.worker.checkpoint.CheckpointException;
import dev.kindling.worker.checkpoint.CheckpointStore;
import dev.kindling.worker.checkpoint.Generation;
import dev.kindling.worker.checkpoint.PartKind;
import dev.kindling.worker.checkpoint.TinyRun;
import dev.kindling.worker.ledger.LedgerHistory;
import dev.kindling.worker.store.LocalStorage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Objects;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;

/**
 * Every byte of a run folder that a reader relies on, as hashes by name: commits that are listed
 * and the files that they name, epochs, metrics, history, event files, and the ledger of the newest
 * epoch with what counts of older ones.
 */
record VisibleRun(SortedMap<String, String> contents) {
  static VisibleRun of(Path runDir, long epoch) throws IOException {
    SortedMap<String, String> contents = new TreeMap<>();
    Path root = runDir.resolve("checkpoints");
    CheckpointStore store = TinyRun.open(new LocalStorage(root));
    for (String id : store.commits()) {
      contents.put("commits/" + id, hash(root.resolve("commits/" + id + ".json")));
      try {
        Generation generation = store.generation(id);
        contents.put("state of " + id, generation.state().toString());
        for (PartKind kind : PartKind.values()) {
          for (String part : generation.partPaths(kind)) {
            contents.put(part, hash(root.resolve(part)));
          }
        }
      } catch (CheckpointException damaged) {
        contents.put("damaged " + id, String.valueOf(damaged.getMessage()));
      }
    }
    List<Path> files = new ArrayList<>(List.of(root.resolve("job.json")));
    files.addAll(children(root.resolve("epochs")));
    files.addAll(children(runDir.resolve("events")));
    files.add(runDir.resolve("metrics.jsonl"));
    files.add(runDir.resolve("history.jsonl"));
    String newest = "e%010d".formatted(epoch);
    children(runDir.resolve("ledger")).stream()
        .filter(file -> file.getFileName().toString().startsWith(newest))
        .forEach(files::add);
    for (Path file : files) {
      contents.put(runDir.relativize(file).toString(), hash(file));
    }
    LedgerHistory.read(runDir).steps().values().stream()
        .filter(step -> step.epoch() == epoch)
        .forEach(step -> contents.put("ledger, step " + step.step(), step.toString()));
    return new VisibleRun(contents);
  }

  /** Names of what is not the same in both. */
  List<String> differences(VisibleRun other) {
    TreeSet<String> names = new TreeSet<>(contents.keySet());
    names.addAll(other.contents.keySet());
    return names.stream()
        .filter(name -> !Objects.equals(contents.get(name), other.contents.get(name)))
        .toList();
  }

  private static List<Path> children(Path folder) throws IOException {
    if (!Files.isDirectory(folder)) {
      return List.of();
    }
    try (Stream<Path> files = Files.list(folder)) {
      return files.sorted().toList();
    }
  }

  private static String hash(Path file) throws IOException {
    try {
      MessageDigest sha = MessageDigest.getInstance("SHA-256");
      return HexFormat.of().formatHex(sha.digest(Files.readAllBytes(file)));
    } catch (NoSuchAlgorithmException everyJdkHasIt) {
      throw new IllegalStateException(everyJdkHasIt);
    }
  }
}
