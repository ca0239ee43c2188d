package dev.kindling.kernels.backend.cuda;

import dev.kindling.kernels.backend.cuda.layout.Element;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.op.EmbeddingGradient;

/** Kernels of embedding.cu. */
final class EmbeddingCuda {
  private static final int THREADS = 256;
  private static final int SORT_TILE = 2048;
  private static final int DIGITS = 256;
  private static final int RUN_TOKENS = 32;

  private EmbeddingCuda() {}

  static void forward(Binding b, Node node) {
    Operand y = b.out(node, 0);
    boolean copied = y.variant().equals("_bf16") || b.hasCodes(node.input(0));
    Operand table = copied ? b.copyOf(node.input(0)) : b.in(node, 0);
    b.launch("embedding" + y.variant())
        .at(table.address(), b.in(node, 1).address(), 0, 0, y.address())
        .at(b.fault("Embedding: token id at position", node.input(1), table.rows()))
        .ints(y.rows(), y.columns(), table.rows(), 0)
        .grid((y.elements() + 2047) / 2048, THREADS)
        .ready();
  }

  /** Sorts the ids, adds the runs inside blocks, then those that cross blocks. */
  static void gradient(Binding b, Node node) {
    Operand dy = b.in(node, 0);
    Operand table = b.out(node, 0);
    long ids = b.in(node, 1).address();
    int tokens = dy.rows();
    int tiles = tiles(tokens);
    int runs = (tokens + RUN_TOKENS - 1) / RUN_TOKENS;
    long orderBytes = aligned(4L * tokens);
    long countBytes = aligned(4L * DIGITS * tiles);
    long scratch = b.scratch(2 * orderBytes + countBytes + 8L * runs * dy.columns());
    if (!Binding.op(node, EmbeddingGradient.class).accumulate()) {
      // A bf16 table is half as many fp32 zeros; what an odd number of elements rounds up is
      // padding.
      long words = (table.elements() * table.element().bytes() + 3) / 4;
      TensorTable zero = new TensorTable();
      zero.add(new TensorTable.Entry(table.address(), 0, words, 0f));
      b.launch("fill_tensors_f32", zero).ready();
    }
    long order = sort(b, ids, tokens, table.rows(), scratch, scratch + orderBytes);
    add(b, dy, table, ids, order, scratch + 2 * orderBytes + countBytes);
  }

  private static int tiles(int tokens) {
    return (tokens + SORT_TILE - 1) / SORT_TILE;
  }

  private static long aligned(long bytes) {
    return (bytes + 255) / 256 * 256;
  }

  /** Returns the address of the sorted order, one of the two given. */
  private static long sort(Binding b, long ids, int tokens, int rows, long first, long second) {
    int tiles = tiles(tokens);
    long counts = second + aligned(4L * tokens);
    long from = 0;
    long to = first;
    for (int shift = 0; shift == 0 || rows > 1L << shift; shift += 8) {
      b.launch("sort_count").at(ids, from, counts).ints(tokens, shift).grid(tiles, THREADS).ready();
      b.launch("sort_scan").at(counts).ints(DIGITS * tiles).grid(1, 1024).ready();
      b.launch("sort_scatter")
          .at(ids, from, counts, to)
          .ints(tokens, shift)
          .grid(tiles, THREADS)
          .ready();
      from = to;
      to = to == first ? second : first;
    }
    return from;
  }

  private static void add(Binding b, Operand dy, Operand table, long ids, long order, long open) {
    boolean wide = dy.columns() % 8 == 0 && dy.stride() % 8 == 0 && dy.address() % 16 == 0;
    int lanes = dy.columns() / (wide ? 8 : 1);
    int block = Math.min(THREADS, (lanes + 31) / 32 * 32);
    int runs = (dy.rows() + RUN_TOKENS - 1) / RUN_TOKENS;
    int strips = (lanes + block - 1) / block;
    int narrow = table.element() == Element.BF16 ? 1 : 0;
    b.launch("embedding_gradient" + dy.variant())
        .at(dy.address(), ids, order, table.address(), open)
        .ints(dy.rows(), dy.columns(), table.rows(), dy.stride(), wide ? 1 : 0, narrow)
        .grid(runs, strips, block)
        .ready();
    b.launch("embedding_gradient_open")
        .at(ids, order, table.address(), open)
        .ints(dy.rows(), dy.columns(), table.rows(), wide ? 1 : 0, narrow)
        .grid(runs, strips, block)
        .ready();
  }
}
