package dev.kindling.kernels.backend.cpu;

import dev.kindling.kernels.memory.Span;
import java.util.ArrayList;
import java.util.List;

/**
 * A stretch of an arena. Variables of one role lie side by side, so many of them are often one
 * piece.
 */
record Piece(Span arena, long offset, long bytes) {
  /**
   * Joins neighbours; the padding between two variables is zero and belongs to the joined piece.
   */
  static List<Piece> merge(List<Piece> pieces) {
    List<Piece> merged = new ArrayList<>();
    for (Piece piece : pieces) {
      int last = merged.size() - 1;
      if (last >= 0 && merged.get(last).touches(piece)) {
        Piece before = merged.get(last);
        long bytes = piece.offset - before.offset + piece.bytes;
        merged.set(last, new Piece(before.arena, before.offset, bytes));
      } else {
        merged.add(piece);
      }
    }
    return merged;
  }

  @SuppressWarnings("ReferenceEquality") // The same arena object, not equal content.
  private boolean touches(Piece next) {
    return arena == next.arena && Span.aligned(offset + bytes) == next.offset;
  }

  Span span() {
    return arena.slice(offset, bytes);
  }
}
