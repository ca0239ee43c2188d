package dev.kindling.kernels.backend.cuda;

import dev.kindling.kernels.backend.cuda.layout.Element;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/**
 * Many tensors for one launch: mirrors {@code struct Tensor} and {@code struct Piece} of {@code
 * tensors.cuh}.
 */
final class TensorTable {
  static final int PIECE_ELEMENTS = 16384;
  static final int PIECE_THREADS = 256;
  private static final int TENSOR_BYTES = 72;
  private static final int PIECE_BYTES = 16;

  /**
   * Addresses of one tensor, 0 for what the kernel does not name.
   *
   * @param key of the kernel's random numbers, or one more address
   * @param sourceElement what lies at {@code source}; kernels that take no bf16 there ignore it
   */
  record Entry(
      long target,
      long source,
      long first,
      long second,
      long copy,
      long elements,
      float[] numbers,
      long key,
      Element sourceElement) {
    Entry(long target, long source, long elements, float... numbers) {
      this(target, source, 0, 0, 0, elements, numbers, 0, Element.F32);
    }

    /** The same tensor with a source in this type. */
    Entry reading(Element element) {
      return new Entry(target, source, first, second, copy, elements, numbers, key, element);
    }
  }

  private final List<Entry> entries = new ArrayList<>();
  private int pieces;

  TensorTable add(Entry entry) {
    entries.add(entry);
    pieces += Math.toIntExact((entry.elements() + PIECE_ELEMENTS - 1) / PIECE_ELEMENTS);
    return this;
  }

  /** Blocks of a launch over this table. */
  int pieces() {
    return pieces;
  }

  long bytes() {
    return (long) entries.size() * TENSOR_BYTES + (long) pieces * PIECE_BYTES;
  }

  /** Address of the pieces when the tensors lie at this address. */
  long piecesAt(long tensors) {
    return tensors + (long) entries.size() * TENSOR_BYTES;
  }

  /** Both tables as the device reads them. */
  ByteBuffer content() {
    ByteBuffer table = ByteBuffer.allocateDirect(Math.toIntExact(bytes()));
    table.order(ByteOrder.LITTLE_ENDIAN);
    for (Entry entry : entries) {
      table.putLong(entry.target()).putLong(entry.source());
      table.putLong(entry.first()).putLong(entry.second()).putLong(entry.copy());
      table.putLong(entry.elements());
      for (int i = 0; i < 4; i++) {
        table.putFloat(i < entry.numbers().length ? entry.numbers()[i] : 0f);
      }
      table.putLong(entry.key());
    }
    for (int tensor = 0; tensor < entries.size(); tensor++) {
      int narrow = entries.get(tensor).sourceElement() == Element.BF16 ? 1 : 0;
      for (long offset = 0; offset < entries.get(tensor).elements(); offset += PIECE_ELEMENTS) {
        table.putInt(tensor).putInt(narrow).putLong(offset);
      }
    }
    return table.flip();
  }
}
