package dev.kindling.worker.pretrained;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.worker.checkpoint.CheckpointException;
import dev.kindling.worker.checkpoint.SafetensorsFile;
import dev.kindling.worker.checkpoint.SafetensorsHeader;
import dev.kindling.worker.store.StorageInput;
import java.io.EOFException;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
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

  private static final String[] BLOCKS = {
    "[".repeat(70),
    "{\"a\":".repeat(70),
    "9".repeat(39),
    "-1",
    "1e999",
    "99999999999999999999",
    "2147483647",
    "4294967296",
    "9223372036854775807",
    "18446744073709551615",
    "0.5",
    "null",
    "true",
    "\"\\ud800\"",
    "\"\\u0000\"",
    "{}",
    "[]",
    "[0,0]",
    "\"F64\"",
    "\"../x.safetensors\"",
    ",",
    "}",
    "]",
    "\u00e9",
    "\"" + "x".repeat(600) + "\":"
  };

  /** One of the parsers, and what a good input looks like. */
  private record Target(String name, byte[] good, Parser parser) {}

  @FunctionalInterface
  private interface Parser {
    void read(byte[] input) throws IOException;
  }

  private static List<Target> targets() throws IOException {
    List<Target> targets = new ArrayList<>();
    Path nowhere = Path.of("model");
    for (String fixture : ModelFolder.fixtures()) {
      targets.add(
          new Target(
              fixture + ".config.json",
              ModelFolder.fixture(fixture).getBytes(StandardCharsets.UTF_8),
              input -> ModelDirectory.of(nowhere, input)));
    }
    String index =
        "{\"metadata\":{\"total_size\":12},\"weight_map\":{\"model.norm.weight\":"
            + "\"model-00001-of-00002.safetensors\",\"lm_head.weight\":"
            + "\"model-00002-of-00002.safetensors\"}}";
    targets.add(
        new Target(
            "index",
            index.getBytes(StandardCharsets.UTF_8),
            input -> WeightFiles.index(input, "index.json")));
    ModelFolder.Tensor vector = new ModelFolder.Tensor("F32", List.of(2L), new byte[8]);
    ModelFolder.Tensor matrix = new ModelFolder.Tensor("BF16", List.of(2L, 3L), new byte[12]);
    byte[] file = ModelFolder.bytes(new TreeMap<>(Map.of("a.weight", vector, "b.weight", matrix)));
    targets.add(new Target("safetensors", file, ParserFuzzTest::open));
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

  private static byte[] mutant(byte[] good, byte[] other, Random random) {
    byte[] mutant = good.clone();
    for (int m = 0; m <= random.nextInt(4); m++) {
      int at = random.nextInt(Math.max(1, mutant.length));
      mutant =
          switch (random.nextInt(6)) {
            case 0 -> flipped(mutant, at, 1 << random.nextInt(8));
            case 1 -> flipped(mutant, at, random.nextInt(256));
            case 2 -> Arrays.copyOf(mutant, at);
            case 3 -> spliced(mutant, at, other, random.nextInt(other.length), at);
            case 4 -> {
              byte[] block = BLOCKS[random.nextInt(BLOCKS.length)].getBytes(StandardCharsets.UTF_8);
              yield spliced(mutant, at, block, block.length, at + random.nextInt(12));
            }
            default -> spliced(mutant, at, mutant, mutant.length, mutant.length);
          };
    }
    return mutant;
  }

  private static byte[] flipped(byte[] bytes, int at, int mask) {
    if (at < bytes.length) {
      bytes[at] = (byte) (bytes[at] ^ mask);
    }
    return bytes;
  }

  /** The first bytes, then so many of the block, then the bytes from {@code rest}. */
  private static byte[] spliced(byte[] bytes, int at, byte[] block, int count, int rest) {
    int head = Math.min(at, bytes.length);
    int tail = Math.min(rest, bytes.length);
    return ByteBuffer.allocate(head + count + bytes.length - tail)
        .put(bytes, 0, head)
        .put(block, 0, count)
        .put(bytes, tail, bytes.length - tail)
        .array();
  }

  private static long allocatedBytes() {
    return ((com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean())
        .getThreadAllocatedBytes(Thread.currentThread().getId());
  }

  private static void fuzz(int inputs) throws IOException {
    long seed = Long.getLong("seed", 20261128L);
    Random random = new Random(seed);
    List<Target> targets = targets();
    int[] read = new int[targets.size()];
    int[] refused = new int[targets.size()];
    for (int i = 0; i < inputs; i++) {
      int which = random.nextInt(targets.size());
      Target target = targets.get(which);
      byte[] other = targets.get(random.nextInt(targets.size())).good();
      byte[] mutant = mutant(target.good(), other, random);
      long before = allocatedBytes();
      try {
        target.parser().read(mutant);
        read[which]++;
      } catch (CheckpointException expected) {
        refused[which]++;
        assertThat(expected.getMessage()).as(target.name()).isNotBlank();
      } catch (IOException | RuntimeException | Error crash) {
        throw new AssertionError(
            target.name() + ": input " + i + " of seed " + seed + ": " + crash, crash);
      }
      assertThat(allocatedBytes() - before)
          .as("%s: input %d of seed %d", target.name(), i, seed)
          .isLessThan(HEAP_BYTES_MAX);
    }
    for (int i = 0; i < read.length; i++) {
      String name = targets.get(i).name() + " of seed " + seed;
      assertThat(read[i]).as("read %s", name).isPositive();
      assertThat(refused[i]).as("refused %s", name).isGreaterThan(read[i] / 10);
    }
  }

  @Test
  void goodInputsAreRead() throws IOException {
    for (Target target : targets()) {
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
