package dev.kindling.kernels.backend.cuda;

import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.op.GatherColumns;
import dev.kindling.kernels.graph.op.SliceRows;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;

/** Kernels of column.cu. */
final class ColumnCuda {
  private static final int THREADS = 256;
  private static final int BLOCK_ELEMENTS = 2048;
  private static final int PARTIAL_LANES = 16;

  private ColumnCuda() {}

  static void split(Binding b, Node node) {
    Operand whole = b.in(node, 0);
    long offset = 0;
    for (Value output : node.outputs()) {
      Operand piece = b.at(output);
      long from = whole.address() + offset * whole.element().bytes();
      if (from != piece.address()) {
        copy(b, new Operand(from, whole.element(), piece.shape(), whole.stride()), piece);
      }
      offset += piece.columns();
    }
  }

  static void concat(Binding b, Node node) {
    Operand whole = b.out(node, 0);
    long offset = 0;
    for (Value input : node.inputs()) {
      Operand piece = b.at(input);
      long to = whole.address() + offset * whole.element().bytes();
      if (to != piece.address()) {
        copy(b, piece, new Operand(to, whole.element(), piece.shape(), whole.stride()));
      }
      offset += piece.columns();
    }
  }

  static void copy(Binding b, Operand from, Operand to) {
    b.launch("copy_columns" + from.variant())
        .at(from.address(), to.address())
        .ints(from.rows(), from.columns(), from.stride(), to.stride())
        .grid((from.elements() + BLOCK_ELEMENTS - 1) / BLOCK_ELEMENTS, THREADS)
        .ready();
  }

  static void sliceRows(Binding b, Node node) {
    Operand x = b.in(node, 0);
    Operand y = b.out(node, 0);
    copy(b, flat(x, rowBytes(x) * Binding.op(node, SliceRows.class).from(), y), flat(y, 0, y));
  }

  static void joinRows(Binding b, Node node) {
    Operand whole = b.out(node, 0);
    long offset = 0;
    for (Value input : node.inputs()) {
      Operand piece = b.at(input);
      copy(b, flat(piece, 0, piece), flat(whole, offset, piece));
      offset += piece.elements() * piece.element().bytes();
    }
  }

  private static long rowBytes(Operand operand) {
    return operand.elements() / operand.rows() * operand.element().bytes();
  }

  /** As many elements as {@code size} has, from an offset on, as one row. */
  private static Operand flat(Operand operand, long offset, Operand size) {
    int elements = Math.toIntExact(size.elements());
    return new Operand(
        operand.address() + offset, operand.element(), Shape.of(1, elements), elements);
  }

  static void gather(Binding b, Node node) {
    List<Integer> indices = Binding.op(node, GatherColumns.class).columns().indices();
    Operand x = b.in(node, 0);
    Operand y = b.out(node, 0);
    long table = b.constant(numbers(indices), "column numbers");
    b.launch("gather_columns" + x.variant())
        .at(x.address(), table, y.address())
        .ints(x.rows(), indices.size(), x.stride(), y.stride())
        .grid((y.elements() + THREADS - 1) / THREADS, THREADS)
        .ready();
  }

  static ByteBuffer numbers(List<Integer> numbers) {
    int bytes = numbers.size() * Integer.BYTES;
    ByteBuffer table = ByteBuffer.allocateDirect(bytes).order(ByteOrder.LITTLE_ENDIAN);
    numbers.forEach(table::putInt);
    return table.flip();
  }

  /** Rows of partial sums, where their total goes, and whether it is added to what is there. */
  record Partials(long rows, long total, boolean accumulate) {}

  /** Adds up one to three sets of partial rows in order. */
  static void sumPartials(Binding b, List<Partials> sets, int parts, int width) {
    long[] pairs = new long[6];
    int accumulate = 0;
    for (int i = 0; i < sets.size(); i++) {
      pairs[2 * i] = sets.get(i).rows();
      pairs[2 * i + 1] = sets.get(i).total();
      accumulate |= sets.get(i).accumulate() ? 1 << i : 0;
    }
    b.launch("sum_partials_f32")
        .at(pairs)
        .ints(parts, width, accumulate)
        .grid((width + 31) / 32, sets.size(), 32)
        .block(32, PARTIAL_LANES)
        .ready();
  }
}
