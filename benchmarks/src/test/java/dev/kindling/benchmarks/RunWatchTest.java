package dev.kindling.benchmarks;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RunWatchTest {
  @Test
  void seesStepsAndTheTimeOfEverySaveOfARealRun(@TempDir Path folder) throws Exception {
    Path text = Files.writeString(folder.resolve("a.txt"), "one two three four ".repeat(500));
    Path config = folder.resolve("watched.yaml");
    Files.writeString(
        config,
        """
        model: {type: llama, width: 16, layers: 1, heads: 2, context: 16}
        data: {type: text, paths: ["%s"]}
        optimizer: {type: adamw, lr: 1e-3}
        steps: 6
        sequence_length: 16
        micro_batch: 64
        global_batch: 64
        ranks: 1
        threads: 1
        checkpoint: {every_steps: 3, async: false}
        log: {every_steps: 1}
        launcher: threads
        """
            .formatted(text));
    Path run = folder.resolve("run");
    try (KindlingProcess process = KindlingProcess.train(config, run)) {
      assertEquals(0, process.await(), () -> "see " + process.log());
    }
    RunWatch watch = new RunWatch(run);
    watch.look();
    assertEquals(6, watch.lastStep());
    assertEquals(1, watch.attempt());
    assertEquals(2, watch.saveMillis().size());
    assertTrue(watch.saveMillis().stream().allMatch(millis -> millis >= 0));
    assertTrue(watch.committedAfter(0));
    assertFalse(watch.saving());
  }
}
