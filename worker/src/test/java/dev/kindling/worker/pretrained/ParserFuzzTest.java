package dev.kindling.worker.pretrained;

import dev.kindling.worker.checkpoint.CheckpointException;
import dev.kindling.worker.checkpoint.SafetensorsFile;
import dev.kindling.worker.checkpoint.SafetensorsHeader;
import dev.kindling.worker.store.InputFolder;
import dev.kindling.worker.store.Mutants;
import dev.kindling.worker.store.StorageInput;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Damaged and hostile inputs to the three parsers of a model directory: each is read or refused
 * with a {@link CheckpointException}, at a cost that its length bounds. {@code -Dseed} repeats a
 * run.
 */
class ParserFuzzTest {
  /** Of one input of a few KiB, whatever it says: far below what a believed number would take. */
  private static final long HEAP_BYTES_MAX = 64L << 20;

  private static List<Mutants.Target> targets() throws IOException {
    List<Mutants.Target> targets = new ArrayList<>();
    Path nowhere = Path.of("model");
    for (String fixture : ModelFolder.fixtures()) {
      targets.add(
          new Mutants.Target(
              fixture + ".config.json",
              ModelFolder.fixture(fixture).getBytes(StandardCharsets.UTF_8),
              input -> ModelDirectory.of(InputFolder.local(nowhere), input)));
    }
    String index =
        "{\"metadata\":{\"total_size\":12},\"weight_map\":{\"model.norm.weight\":"
            + "\"model-00001-of-00002.safetensors\",\"lm_head.weight\":"
            + "\"model-00002-of-00002.safetensors\"}}";
    targets.add(
        new Mutants.Target(
            "index",
            index.getBytes(StandardCharsets.UTF_8),
            input -> WeightFiles.index(input, "index.json")));
    ModelFolder.Tensor vector = new ModelFolder.Tensor("F32", List.of(2L), new byte[8]);
    ModelFolder.Tensor matrix = new ModelFolder.Tensor("BF16", List.of(2L, 3L), new byte[12]);
    byte[] file = ModelFolder.bytes(new TreeMap<>(Map.of("a.weight", vector, "b.weight", matrix)));
    targets.add(new Mutants.Target("safetensors", file, ParserFuzzTest::open));
    return targets;
  }

  private static void open(byte[] file) throws IOException {
    try (SafetensorsFile open = SafetensorsFile.of(new BytesInput(file), "m.safetensors")) {
      SafetensorsHeader header = open.header();
      ByteBuffer piece = ByteBuffer.allocate(64);
      header
          .tensors()
          .values()
          .forEach(
              tensor ->
                  open.readBytes(
                      tensor, 0, piece.clear().limit((int) Math.min(64, tensor.bytes()))));
    }
  }

  /** A file in memory. */
  private record BytesInput(byte[] bytes) implements StorageInput {
    @Override
    public long length() {
      return bytes.length;
    }

    @Override
    public void readFully(long position, ByteBuffer target) throws IOException {
      if (position < 0 || position + target.remaining() > bytes.length) {
        throw new EOFException("ends at " + bytes.length);
      }
      target.put(bytes, (int) position, target.remaining());
    }

    @Override
    public void close() {}
  }

  private static void fuzz(int inputs) throws IOException {
    Mutants.fuzz(targets(), inputs, HEAP_BYTES_MAX, List.of(CheckpointException.class));
  }

  @Test
  void goodInputsAreRead() throws IOException {
    for (Mutants.Target target : targets()) {
      target.parser().read(target.good());
    }
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
