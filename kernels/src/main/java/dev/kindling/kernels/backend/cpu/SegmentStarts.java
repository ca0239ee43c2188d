package dev.kindling.kernels.backend.cpu;

import dev.kindling.kernels.backend.cpu.vector.Operand;
import org.jspecify.annotations.Nullable;

/**
 * Per token the first token of its document, counted inside the sequence; all 0 when there are no
 * segments.
 */
final class SegmentStarts {
  private final int sequence;
  private final @Nullable Operand segments;
  private final int[] first;

  SegmentStarts(@Nullable Operand segments, int tokens, int sequence) {
    this.sequence = sequence;
    this.segments = segments;
    this.first = new int[tokens];
  }

  /** Reads the segments of this run. */
  void refresh() {
    Operand numbers = segments;
    if (numbers == null) {
      return;
    }
    for (int t = 0; t < first.length; t++) {
      int inside = t % sequence;
      boolean continues = inside > 0 && numbers.getInt(t) == numbers.getInt(t - 1);
      first[t] = continues ? first[t - 1] : inside;
    }
  }

  int of(int sequenceIndex, int row) {
    return first[sequenceIndex * sequence + row];
  }
}
