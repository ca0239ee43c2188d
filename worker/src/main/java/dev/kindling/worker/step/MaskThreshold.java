package dev.kindling.worker.step;

import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.memory.Span;

/**
 * The magnitude that a share of a parameter's elements does not exceed, exact: two counts of the
 * bits of their absolute values, whose order is that of the values.
 */
final class MaskThreshold {
  private static final int HALF = 16;
  private static final int BUCKETS = 1 << HALF;
  private static final int PIECE = 1 << 18;

  private final Memory memory;
  private final Param param;

  private MaskThreshold(Memory memory, Param param) {
    this.memory = memory;
    this.param = param;
  }

  /**
   * The smallest magnitude that at least {@code share} of the elements have at most.
   *
   * @param share above 0, at most 1
   */
  static float of(Memory memory, Param param, double share) {
    MaskThreshold threshold = new MaskThreshold(memory, param);
    long rank = Math.max(1, Math.round(share * param.shape().elements()));
    long[] high = threshold.counts(-1);
    int bucket = 0;
    while (rank > high[bucket]) {
      rank -= high[bucket++];
    }
    long[] low = threshold.counts(bucket);
    int rest = 0;
    while (rank > low[rest]) {
      rank -= low[rest++];
    }
    return Float.intBitsToFloat(bucket << HALF | rest);
  }

  /** By upper half of the bits, or by lower half of those whose upper half is given. */
  private long[] counts(int upper) {
    long[] counts = new long[BUCKETS];
    long elements = param.shape().elements();
    for (long from = 0; from < elements; from += PIECE) {
      long count = Math.min(PIECE, elements - from);
      try (Span piece = Span.allocate(count * Float.BYTES)) {
        memory.fetch(param.name(), from * Float.BYTES, piece);
        for (int i = 0; i < count; i++) {
          int bits = piece.getInt(i) & 0x7FFFFFFF;
          if (upper < 0) {
            counts[bits >>> HALF]++;
          } else if (bits >>> HALF == upper) {
            counts[bits & (BUCKETS - 1)]++;
          }
        }
      }
    }
    return counts;
  }
}
