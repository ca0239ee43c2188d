package dev.kindling.kernels.backend.cuda;

import dev.kindling.kernels.backend.cuda.layout.Element;
import dev.kindling.kernels.graph.Channels;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.op.Project;
import dev.kindling.kernels.graph.op.Subspace;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;

/**
 * Kernels of subspace.cu. Matrices of one shape go together, as many at once as fit a bound of
 * scratch memory: a step without a refresh costs launches alone, so their number counts.
 */
final class SubspaceCuda {
  private static final int THREADS = 256;
  private static final int FACTOR_THREADS = 512;
  private static final int TILE = 64;

  /** Rows of a block that solves. */
  private static final int ROWS = 32;

  private static final int MATRIX_BYTES = 88;
  private static final long MOST_SCRATCH = 256L << 20;

  private SubspaceCuda() {}

  /** The gradient in bf16 where the basis is: a product wants both alike. */
  static void project(Binding b, Node node) {
    Project op = Binding.op(node, Project.class);
    Operand gradient = b.in(node, 0);
    Operand basis = b.in(node, 1);
    long from = gradient.address();
    if (gradient.element() != basis.element()) {
      long copy = b.scratch(gradient.elements() * Element.BF16.bytes());
      from = copy;
      ElementCuda.move(
          b, gradient, new Operand(copy, Element.BF16, gradient.shape(), gradient.columns()));
    }
    b.product(
        SketchCuda.shape(op.channels(), op.rank(), basis.element()),
        from,
        basis.address(),
        b.out(node, 0).address(),
        0,
        0);
  }

  /** Bytes of the parts of one matrix's scratch, each from a multiple of 256 on. */
  private record Parts(long due, long gram, long narrow, long wide, long factor) {
    static Parts of(Subspace op) {
      long shorter = op.channels().contracted();
      long rank = op.rank();
      return new Parts(
          aligned(Integer.BYTES),
          aligned(shorter * shorter * Float.BYTES),
          aligned(shorter * rank * Float.BYTES),
          aligned(shorter * rank * Double.BYTES),
          aligned((rank + 1) * rank * Double.BYTES));
    }

    private static long aligned(long bytes) {
      return (bytes + 255) / 256 * 256;
    }

    long bytes() {
      return due + gram + 2 * narrow + wide + factor;
    }
  }

  static void subspace(Binding b, Node node) {
    List<Node> nodes = b.group().nodes();
    Parts parts = Parts.of(Binding.op(node, Subspace.class));
    int together = (int) Math.max(1, Math.min(nodes.size(), MOST_SCRATCH / parts.bytes()));
    long scratch = b.scratch(together * parts.bytes());
    for (int from = 0; from < nodes.size(); from += together) {
      List<Node> some = nodes.subList(from, Math.min(nodes.size(), from + together));
      new Launches(b, some, b.constant(table(b, some, parts, scratch), "table of subspaces")).all();
    }
  }

  private static ByteBuffer table(Binding b, List<Node> nodes, Parts parts, long scratch) {
    ByteBuffer table = ByteBuffer.allocateDirect(nodes.size() * MATRIX_BYTES);
    table.order(ByteOrder.LITTLE_ENDIAN);
    long at = scratch;
    for (Node node : nodes) {
      Operand read = b.out(node, 2);
      table.putLong(b.in(node, 0).address()).putLong(b.out(node, 0).address());
      table.putLong(b.out(node, 1).address()).putLong(read.address());
      long gram = at + parts.due();
      long q = gram + parts.gram();
      long x = q + 2 * parts.narrow();
      table.putLong(at).putLong(gram).putLong(q).putLong(q + parts.narrow());
      table.putLong(x).putLong(x + parts.wide());
      table.putInt(b.in(node, 0).element() == Element.BF16 ? 1 : 0);
      table.putInt(read.element() == Element.BF16 ? 1 : 0);
      at += parts.bytes();
    }
    return table.flip();
  }

  /** All launches over one table. */
  private record Launches(Binding b, List<Node> nodes, long table) {
    private Subspace op() {
      return Binding.op(nodes.get(0), Subspace.class);
    }

    private int shorter() {
      return op().channels().contracted();
    }

    private long scale() {
      return b.in(nodes.get(0), 3).address();
    }

    void all() {
      Subspace op = op();
      Channels channels = op.channels();
      int rank = op.rank();
      long numbers = (long) shorter() * rank;
      long blocks = (numbers + THREADS - 1) / THREADS;
      boolean tall = channels.areRows();
      launch("subspace_due", 1, 1, 32).at(scale()).ints(op.interval()).ready();
      launch("subspace_gram", tiles(shorter()), tiles(shorter()), THREADS)
          .at(scale())
          .ints(shorter(), channels.own())
          .ints(tall ? 1 : channels.own(), tall ? shorter() : 1)
          .ready();
      launch("subspace_shift", 1, 1, THREADS).ints(shorter()).floats(Subspace.SHIFT).ready();
      launch("subspace_start", blocks, 1, THREADS).longs(numbers, op.key()).ready();
      for (int i = 0; i < op.iterations(); i++) {
        launch("subspace_multiply", tiles(rank), tiles(shorter()), THREADS)
            .ints(shorter(), rank)
            .ready();
        orthonormalize(false);
      }
      orthonormalize(true);
      launch("subspace_finish", rank, 1, THREADS).ints(shorter(), rank).longs(op.key()).ready();
      launch("subspace_copy", blocks, 1, THREADS).longs(numbers).ready();
    }

    private void orthonormalize(boolean last) {
      int rank = op().rank();
      int of = last ? 1 : 0;
      launch("subspace_products", tiles(rank), tiles(rank), THREADS)
          .ints(shorter(), rank, of)
          .ready();
      launch("subspace_factor", 1, 1, FACTOR_THREADS).ints(rank).ready();
      launch("subspace_solve", (shorter() + ROWS - 1) / ROWS, 1, THREADS)
          .ints(shorter(), rank, of)
          .ready();
    }

    private static int tiles(int edge) {
      return (edge + TILE - 1) / TILE;
    }

    private Launch launch(String kernel, long blocksX, int blocksY, int threads) {
      return b.launch(kernel).grid(blocksX, blocksY, threads).layers(nodes.size()).at(table);
    }
  }
}
