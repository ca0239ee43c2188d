package dev.kindling.kernels.nf4;

import dev.kindling.kernels.graph.op.DynamicCode;
import dev.kindling.kernels.graph.op.Nf4;
import dev.kindling.kernels.memory.Span;
import java.util.stream.IntStream;

/**
 * Packs one matrix into spans of the types that {@link Nf4} names: pieces of fp32 elements in any
 * order, then {@link #finish}. Keeps 4 bytes a block in between, never the matrix.
 *
 * <p>The arithmetic is that of bitsandbytes: a block is multiplied by the fp32 reciprocal of its
 * largest absolute value, not divided by it, so a block of zeros meets 0 * infinity, gets code 0,
 * and is zero again because its scale is.
 */
public final class Nf4Writer {
  private final long elements;
  private final Span codes;
  private final Span scales;
  private final Span statistics;
  private final float[] largest;

  public Nf4Writer(long elements, Span codes, Span scales, Span statistics) {
    this.elements = elements;
    this.codes = fits(codes, Nf4.codes(elements).bytes(), "codes");
    this.scales = fits(scales, Nf4.scales(elements).bytes(), "scales");
    this.statistics = fits(statistics, Nf4.statistics(elements).bytes(), "statistics");
    largest = new float[Nf4.blocks(elements)];
  }

  private static Span fits(Span span, long bytes, String what) {
    if (span.bytes() != bytes) {
      throw new IllegalArgumentException(
          what + ": expected " + bytes + " bytes, found " + span.bytes());
    }
    return span;
  }

  /**
   * @param from first element, a multiple of {@link Nf4#BLOCK}
   * @param values fp32; whole blocks but for the matrix's last one
   */
  public void write(long from, Span values) {
    long count = values.bytes() / Float.BYTES;
    boolean whole = count % Nf4.BLOCK == 0 || from + count == elements;
    if (from % Nf4.BLOCK != 0 || !whole || from + count > elements) {
      throw new IllegalArgumentException(
          "expected whole blocks of " + elements + " elements, found " + count + " from " + from);
    }
    int first = Math.toIntExact(from / Nf4.BLOCK);
    IntStream.range(0, Nf4.blocks(count))
        .parallel()
        .forEach(block -> block(first + block, values, (long) block * Nf4.BLOCK, count));
  }

  private void block(int block, Span values, long at, long count) {
    int size = (int) Math.min(Nf4.BLOCK, count - at);
    float most = 0;
    for (int i = 0; i < size; i++) {
      most = Math.max(most, Math.abs(values.getFloat(at + i)));
    }
    largest[block] = most;
    float reciprocal = 1 / most;
    long word = (long) block * Nf4.BLOCK / Nf4.WORD;
    for (int i = 0; i < size; i += Nf4.WORD) {
      int packed = 0;
      for (int k = 0; k < Math.min(Nf4.WORD, size - i); k++) {
        packed |= Nf4.code(values.getFloat(at + i + k) * reciprocal) << shift(k);
      }
      codes.putInt(word++, packed);
    }
  }

  /** Place of element k of a word: bytes from the lowest up, of each the high half first. */
  static int shift(int k) {
    return (k ^ 1) * 4;
  }

  /** Packs the blocks' largest absolute values, when all elements were written. */
  public void finish() {
    double sum = 0;
    for (float one : largest) {
      sum += one;
    }
    float offset = (float) (sum / largest.length);
    statistics.putFloat(0, offset);
    for (int group = 0; group * Nf4.GROUP < largest.length; group++) {
      int from = group * Nf4.GROUP;
      int to = Math.min(largest.length, from + Nf4.GROUP);
      float most = 0;
      for (int block = from; block < to; block++) {
        most = Math.max(most, Math.abs(largest[block] - offset));
      }
      statistics.putFloat(group + 1, most);
      float reciprocal = 1 / most;
      for (int block = from; block < to; block++) {
        byte code = (byte) DynamicCode.SIGNED.code((largest[block] - offset) * reciprocal);
        scales.buffer().put(block, code);
      }
    }
  }
}
