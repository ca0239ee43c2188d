package dev.kindling.worker.store;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.stream.IntStream;

/** Damaged and hostile forms of a good input, from one random number after the other. */
public final class Mutants {
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
  public record Target(String name, byte[] good, Parser parser) {}

  /** Reads an input or throws; called by several threads. */
  @FunctionalInterface
  public interface Parser {
    void read(byte[] input) throws IOException;
  }

  private Mutants() {}

  /**
   * Each mutant of a target is read, or refused as it should be, at a cost on the heap that has a
   * bound.
   *
   * @param refusals what a parser may throw, with a message
   */
  public static void fuzz(
      List<Target> targets,
      int inputs,
      long heapBytesMax,
      List<Class<? extends RuntimeException>> refusals) {
    long seed = Long.getLong("seed", 20261128L);
    AtomicIntegerArray read = new AtomicIntegerArray(targets.size());
    AtomicIntegerArray refused = new AtomicIntegerArray(targets.size());
    IntStream.range(0, inputs)
        .parallel()
        .forEach(
            input -> {
              Random random = new Random(seed + input * 0x9E3779B97F4A7C15L);
              int which = random.nextInt(targets.size());
              byte[] other = targets.get(random.nextInt(targets.size())).good();
              byte[] mutant = of(targets.get(which).good(), other, random);
              String as = targets.get(which).name() + ": input " + input + " of seed " + seed;
              long before = allocatedBytes();
              boolean held = isRead(targets.get(which), mutant, refusals, as);
              (held ? read : refused).incrementAndGet(which);
              assertThat(allocatedBytes() - before).as(as).isLessThan(heapBytesMax);
            });
    for (int i = 0; i < targets.size(); i++) {
      String name = targets.get(i).name() + " of seed " + seed;
      assertThat(read.get(i)).as("read %s", name).isPositive();
      assertThat(refused.get(i)).as("refused %s", name).isGreaterThan(read.get(i) / 10);
    }
  }

  private static boolean isRead(
      Target target, byte[] mutant, List<Class<? extends RuntimeException>> refusals, String as) {
    try {
      target.parser().read(mutant);
      return true;
    } catch (IOException | RuntimeException | Error thrown) {
      if (refusals.stream().noneMatch(expected -> expected.isInstance(thrown))) {
        throw new AssertionError(as + ": " + thrown, thrown);
      }
      assertThat(thrown.getMessage()).as(as).isNotBlank();
      return false;
    }
  }

  /**
   * One to four changes: bits, bytes, a cut, a piece of another input, a piece that parsers trip
   * over, the whole twice.
   */
  public static byte[] of(byte[] good, byte[] other, Random random) {
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

  /** Bytes that this thread has ever allocated on the heap. */
  public static long allocatedBytes() {
    return ((com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean())
        .getThreadAllocatedBytes(Thread.currentThread().getId());
  }
}
