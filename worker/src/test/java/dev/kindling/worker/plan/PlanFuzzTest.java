package dev.kindling.worker.plan;

import dev.kindling.configs.yaml.ConfigDocument;
import dev.kindling.configs.yaml.ConfigException;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.worker.store.Mutants;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Damaged and hostile configurations are read or refused. {@code -Dseed} repeats a run. */
class PlanFuzzTest {
  private static final long HEAP_BYTES_MAX = 64L << 20;

  private static final List<String> CONFIGS =
      List.of(
          """
          model: {type: llama, width: 32, layers: 2, heads: 2, context: 64}
          data: {type: text, paths: [a/b, "c d"], validation_fraction: 0.1}
          optimizer: {type: adamw, lr: 3e-3}
          schedule: {type: cosine, warmup_steps: 5}
          steps: 20
          sequence_length: 64
          micro_batch: 256
          global_batch: 512
          ranks: 2
          checkpoint: {every_steps: 10, timeout: 90s}
          launcher: threads
          """,
          """
          # A comment.
          model:
            type: gpt2
            width: 32
            layers: 1
            heads: 2
            context: 64
          data:
            type: mixture
            parts:
              - weight: 0.7
                data: {type: jsonl, paths: [x.jsonl]}
              - weight: 0.3
                data: {type: text, paths: [&here "y", *here]}
          optimizer: {type: sgd, lr: 0.1}
          steps: 3
          sequence_length: 64
          micro_batch: 128
          global_batch: 128
          ranks: 1
          memory: {limit: 2GiB}
          spark: {conf: {spark.executor.memory: 512m}}
          """);

  private static void read(byte[] input) {
    String text = new String(input, StandardCharsets.UTF_8);
    PlanReader.read(ConfigDocument.parse(text, "fuzzed.yaml"), List.of());
  }

  private static void fuzz(int inputs) throws IOException {
    List<Mutants.Target> targets =
        CONFIGS.stream()
            .map(
                text ->
                    new Mutants.Target(
                        text.lines().findFirst().orElse(""),
                        text.getBytes(StandardCharsets.UTF_8),
                        PlanFuzzTest::read))
            .toList();
    Mutants.fuzz(
        targets, inputs, HEAP_BYTES_MAX, List.of(ConfigException.class, PlanException.class));
  }

  @Test
  @Timeout(value = 10, unit = TimeUnit.MINUTES)
  void aHundredThousandMutantsAreReadOrRefused() throws IOException {
    fuzz(100_000);
  }

  @Test
  @Tag("long")
  @Timeout(value = 30, unit = TimeUnit.MINUTES)
  void aMillionMutantsAreReadOrRefused() throws IOException {
    fuzz(1_000_000);
  }
}
