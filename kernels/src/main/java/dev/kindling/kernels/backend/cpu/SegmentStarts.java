package dev.kindling.kernels.backend.cpu;

import dev.kindling.kernels.backend.cpu.vector.Operand;
import dev.kindling.kernels.graph.AttentionShape;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Per token the first token that it sees, counted inside the sequence: that of its document or of
 * its window, whichever is later.
 */
final class SegmentStarts {
  private final AttentionShape shape;
  private final @Nullable Operand segments;
  private final int[] first;

  SegmentStarts(@Nullable Operand segments, int tokens, AttentionShape shape) {
    this.shape = shape;
    this.segments = segments;
    this.first = new int[tokens];
    Arrays.setAll(first, t -> shape.firstKey(t % shape.sequence()));
  }

  /** Reads the segments of this run. */
  void refresh() {
    Operand numbers = segments;
    if (numbers == null) {
      return;
    }
    int document = 0;
    for (int t = 0; t < first.length; t++) {
      int inside = t % shape.sequence();
      boolean continues = inside > 0 && numbers.getInt(t) == numbers.getInt(t - 1);
      document = continues ? document : inside;
      first[t] = Math.max(document, shape.firstKey(inside));
    }
  }

  int of(int sequenceIndex, int row) {
    return first[sequenceIndex * shape.sequence() + row];
  }
}
