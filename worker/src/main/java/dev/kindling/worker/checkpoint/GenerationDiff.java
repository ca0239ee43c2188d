package dev.kindling.worker.checkpoint;

import dev.kindling.kernels.memory.Span;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;

/**
 * What two generations do not share, bit for bit.
 *
 * @param tensors tensors compared, weights and optimizer states
 * @param differing tensors that are missing on one side, of another shape, or of other bytes
 * @param stateDiffers whether the states differ in more than the attempt
 * @param first the first difference by kind and name
 */
public record GenerationDiff(
    int tensors, int differing, boolean stateDiffers, Optional<Difference> first) {
  /** A multiple of an element; a tensor may be larger than any span. */
  private static final long PIECE_BYTES = 16L << 20;

  /**
   * One place.
   *
   * @param element index of the first element that differs, -1 if one side has no such tensor or
   *     another shape
   * @param left bits of the element on the left side
   * @param right bits of the element on the right side
   */
  public record Difference(PartKind kind, String tensor, long element, int left, int right) {
    @Override
    public String toString() {
      return element < 0
          ? kind.word() + " tensor " + tensor + ": missing on one side or of another shape"
          : String.format(
              Locale.ROOT,
              "%s tensor %s, element %d: %08x (%s) and %08x (%s)",
              kind.word(),
              tensor,
              element,
              left,
              Float.toString(Float.intBitsToFloat(left)),
              right,
              Float.toString(Float.intBitsToFloat(right)));
    }
  }

  /** One side of a comparison. */
  public record Side(CheckpointStore store, Generation generation) {}

  /** True if the two would train on alike. */
  public boolean same() {
    return differing == 0 && !stateDiffers;
  }

  /**
   * Compares tensors by their hashes and looks for the first differing element only where these
   * differ.
   */
  public static GenerationDiff of(Side left, Side right) {
    int tensors = 0;
    int differing = 0;
    Optional<Difference> first = Optional.empty();
    for (PartKind kind : PartKind.values()) {
      Map<String, StoredTensor> ours = left.generation().tensors(kind);
      Map<String, StoredTensor> theirs = right.generation().tensors(kind);
      TreeSet<String> names = new TreeSet<>(ours.keySet());
      names.addAll(theirs.keySet());
      for (String name : names) {
        tensors++;
        Optional<Difference> difference = of(kind, name, left, right);
        differing += difference.isPresent() ? 1 : 0;
        first = first.isPresent() ? first : difference;
      }
    }
    boolean state =
        !left.generation().state().trajectory().equals(right.generation().state().trajectory());
    return new GenerationDiff(tensors, differing, state, first);
  }

  private static Optional<Difference> of(PartKind kind, String name, Side left, Side right) {
    StoredTensor ours = left.generation().tensors(kind).get(name);
    StoredTensor theirs = right.generation().tensors(kind).get(name);
    if (ours == null
        || theirs == null
        || !ours.dims().equals(theirs.dims())
        || ours.dtype() != theirs.dtype()) {
      return Optional.of(new Difference(kind, name, -1, 0, 0));
    }
    if (ours.sha256().equals(theirs.sha256())) {
      return Optional.empty();
    }
    long piece = Math.min(ours.bytes(), PIECE_BYTES);
    try (Span a = Span.allocate(piece);
        Span b = Span.allocate(piece)) {
      for (long at = 0; ; at += piece) {
        // Every piece is as long; the last one begins earlier.
        long from = Math.min(at, ours.bytes() - piece);
        left.store().read(left.generation(), kind, name, from, a);
        right.store().read(right.generation(), kind, name, from, b);
        long i = 0;
        while (i < piece / Integer.BYTES - 1 && a.getInt(i) == b.getInt(i)) {
          i++;
        }
        if (a.getInt(i) != b.getInt(i) || from + piece == ours.bytes()) {
          long element = from / Integer.BYTES + i;
          return Optional.of(new Difference(kind, name, element, a.getInt(i), b.getInt(i)));
        }
      }
    }
  }
}
