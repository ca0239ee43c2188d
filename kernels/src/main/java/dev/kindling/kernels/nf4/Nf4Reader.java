package dev.kindling.kernels.nf4;

import dev.kindling.kernels.graph.op.DynamicCode;
import dev.kindling.kernels.graph.op.Nf4;
import dev.kindling.kernels.memory.Span;
import java.nio.ByteBuffer;

/** Elements of a packed matrix. */
public final class Nf4Reader {
  private final Span codes;
  private final ByteBuffer scales;
  private final Span statistics;

  public Nf4Reader(Span codes, Span scales, Span statistics) {
    this.codes = codes;
    this.scales = scales.buffer();
    this.statistics = statistics;
  }

  /**
   * Unpacks a run of elements.
   *
   * @param from first element
   * @param target fp32, from element {@code at}
   */
  public void read(long from, int count, Span target, long at) {
    for (int i = 0; i < count; ) {
      long element = from + i;
      float scale = scale((int) (element / Nf4.BLOCK));
      int end = (int) Math.min(count, i + Nf4.BLOCK - element % Nf4.BLOCK);
      for (; i < end; i++) {
        target.putFloat(at + i, level(from + i) * scale);
      }
    }
  }

  private float level(long element) {
    int word = codes.getInt(element / Nf4.WORD);
    return Nf4.level((word >>> Nf4Writer.shift((int) (element % Nf4.WORD))) & 15);
  }

  /** Largest absolute value of a block, as it was stored. */
  private float scale(int block) {
    float number = DynamicCode.SIGNED.number(scales.get(block) & 255);
    return number * statistics.getFloat(1 + block / Nf4.GROUP) + statistics.getFloat(0);
  }
}
