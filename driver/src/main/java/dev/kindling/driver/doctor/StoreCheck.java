package dev.kindling.driver.doctor;

import dev.kindling.kernels.graph.PlanException;
import dev.kindling.worker.store.Storage;
import dev.kindling.worker.store.StorageLocation;
import dev.kindling.worker.store.StorageOutput;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Map;
import java.util.UUID;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Whether a URI can hold runs: everything that a checkpoint asks of its store, tried once. */
final class StoreCheck {
  private static final Logger LOG = LoggerFactory.getLogger(StoreCheck.class);

  private static final String REACH =
      "check the address, HADOOP_CONF_DIR (its folder must hold core-site.xml), credentials, and"
          + " for s3a: that hadoop-aws is among Spark's jars";

  private StoreCheck() {}

  /**
   * @param settings of the store, as Spark is given them; those of the process count too
   */
  static Finding examine(StorageLocation runs, Map<String, String> settings) {
    Storage storage;
    try {
      storage = runs.open(settings);
    } catch (PlanException refused) {
      return Finding.wrong("storage", String.valueOf(refused.getMessage()), REACH);
    }
    String folder = "kindling-doctor-" + UUID.randomUUID();
    try {
      String lacking = lacking(storage, folder);
      return lacking.isEmpty()
          ? Finding.ok("storage", storage + "; write, sync, read back and exclusive commit work")
          : Finding.wrong(
              "storage",
              runs + ": " + lacking,
              "choose another --run-dir: checkpoints depend on this");
    } catch (IOException e) {
      return Finding.wrong("storage", runs + ": " + e, REACH);
    } finally {
      delete(storage, folder);
    }
  }

  private static String lacking(Storage storage, String folder) throws IOException {
    byte[] content = "kindling".getBytes(StandardCharsets.UTF_8);
    String part = folder + "/part";
    try (StorageOutput out = storage.create(part)) {
      out.write(ByteBuffer.wrap(content));
      out.commit();
    }
    if (!Arrays.equals(storage.read(part, content.length), content)) {
      return "a file that was committed reads back otherwise";
    }
    String commit = folder + "/commit";
    boolean first = storage.commitExclusive(commit, content);
    boolean second = storage.commitExclusive(commit, new byte[] {1});
    if (!first || second || !Arrays.equals(storage.read(commit, content.length), content)) {
      return "a second commit of the same name was not refused";
    }
    return storage.list(folder).size() == 2 ? "" : "a listing lacks what was just written";
  }

  /** What a store in trouble keeps is a few bytes under a name that nobody else takes. */
  private static void delete(Storage storage, String folder) {
    try {
      storage.deleteFolder(folder);
    } catch (IOException left) {
      LOG.warn("{}/{} stays: {}", storage.location(), folder, left.toString());
    }
  }
}
