package dev.kindling.kernels.backend.cuda;

import dev.kindling.kernels.backend.cuda.ProductShape.Epilogue;
import dev.kindling.kernels.backend.cuda.layout.Element;
import dev.kindling.kernels.graph.Channels;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.op.Sketch;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Kernels of sketch.cu; a sketch of more than one number per channel is a product of the library.
 * Matrices go together, as many at once as fit a bound of scratch memory: one launch reads all that
 * are read alike, and matrices of one shape at equal distances are one call of the library.
 */
final class SketchCuda {
  private static final int THREADS = 256;
  private static final int WARPS = THREADS / 32;
  private static final int STRIP_ROWS = 64;
  private static final int MATRIX_BYTES = 80;
  private static final int PIECE_BYTES = 8;
  private static final long MOST_SCRATCH = 128L << 20;

  private SketchCuda() {}

  /** Which kernel reads a gradient. */
  private enum Reader {
    ROWS("sketch_rows"),
    COLUMNS("sketch_columns"),
    /** A thread has eight columns. */
    WIDE("sketch_columns_wide");

    private final String kernel;

    Reader(String kernel) {
      this.kernel = kernel;
    }

    static Reader of(Channels channels) {
      if (channels.areRows()) {
        return ROWS;
      }
      return channels.columns() % 8 == 0 ? WIDE : COLUMNS;
    }

    int blocks(Channels channels) {
      if (this == ROWS) {
        return (channels.ownRows() + WARPS - 1) / WARPS;
      }
      int block = this == WIDE ? 256 : 32;
      return (channels.columns() + block - 1) / block * strips(channels);
    }
  }

  private static int strips(Channels channels) {
    return (channels.ownRows() + STRIP_ROWS - 1) / STRIP_ROWS;
  }

  /**
   * What all sketches of a group have in common.
   *
   * @param product whether the library makes the sketches, of what is stored as the numbers are
   * @param copies whether it reads copies of the gradients in bf16
   */
  private record Kind(boolean product, boolean copies, Element numbers) {
    static Kind of(Binding b, Node node) {
      boolean product = Binding.op(node, Sketch.class).rank() > 1;
      boolean fp32 = product && b.in(node, 0).element() == Element.F32;
      return new Kind(product, fp32 && b.bf16(), fp32 && !b.bf16() ? Element.F32 : Element.BF16);
    }
  }

  /**
   * Bytes of the parts of one matrix's scratch, each from a multiple of 256 on.
   *
   * @param numbers P
   * @param copy the gradient in bf16 where the product wants one
   * @param partials sums of strips of rows
   */
  private record Parts(long numbers, long copy, long partials) {
    static Parts of(Node node, Kind kind) {
      Sketch op = Binding.op(node, Sketch.class);
      Channels channels = op.channels();
      long elements = (long) channels.ownRows() * channels.columns();
      long partials =
          channels.areRows() ? 0 : 2L * strips(channels) * channels.columns() * Float.BYTES;
      return new Parts(
          aligned(count(op) * kind.numbers().bytes()),
          kind.copies() ? aligned(elements * Element.BF16.bytes()) : 0,
          aligned(partials));
    }

    private static long aligned(long bytes) {
      return (bytes + 255) / 256 * 256;
    }

    long bytes() {
      return numbers + copy + partials;
    }
  }

  private static long count(Sketch op) {
    return (long) op.channels().contracted() * op.rank();
  }

  /** Every sketch of the group. */
  static void sketch(Binding b, Node node) {
    Kind kind = Kind.of(b, node);
    List<List<Node>> parcels = parcels(b.group().nodes(), kind);
    long most = parcels.stream().mapToLong(parcel -> bytes(parcel, kind)).max().orElseThrow();
    long scratch = b.scratch(most);
    parcels.forEach(parcel -> Launches.of(b, kind, parcel, scratch).all());
  }

  private static long bytes(List<Node> nodes, Kind kind) {
    return nodes.stream().mapToLong(node -> Parts.of(node, kind).bytes()).sum();
  }

  private static List<List<Node>> parcels(List<Node> nodes, Kind kind) {
    List<List<Node>> parcels = new ArrayList<>();
    long left = 0;
    for (Node node : nodes) {
      long bytes = Parts.of(node, kind).bytes();
      if (parcels.isEmpty() || bytes > left) {
        parcels.add(new ArrayList<>());
        left = MOST_SCRATCH;
      }
      parcels.get(parcels.size() - 1).add(node);
      left -= bytes;
    }
    return parcels;
  }

  /** Where the parts of one matrix's scratch lie; a copy at 0 is none. */
  private record Matrix(Node node, long numbers, long copy, long partials) {
    Sketch op() {
      return Binding.op(node, Sketch.class);
    }

    Channels channels() {
      return op().channels();
    }
  }

  /**
   * All launches over some matrices.
   *
   * @param runs of matrices that one product sketches
   */
  private record Launches(Binding b, Kind kind, List<List<Matrix>> runs) {
    static Launches of(Binding b, Kind kind, List<Node> nodes, long scratch) {
      List<List<Matrix>> runs = new ArrayList<>();
      long at = scratch;
      for (List<Node> run : runs(b, kind, nodes)) {
        List<Matrix> matrices = new ArrayList<>();
        for (Node node : run) {
          Parts parts = Parts.of(node, kind);
          long copy = at + parts.numbers();
          matrices.add(new Matrix(node, at, kind.copies() ? copy : 0, copy + parts.copy()));
          at += parts.bytes();
        }
        runs.add(matrices);
      }
      return new Launches(b, kind, runs);
    }

    /** Scratch is cut along the runs: what lies there is at equal distances by itself. */
    private static List<List<Node>> runs(Binding b, Kind kind, List<Node> nodes) {
      Map<Channels, List<Node>> shapes = new LinkedHashMap<>();
      for (Node node : nodes) {
        Channels channels = Binding.op(node, Sketch.class).channels();
        shapes.computeIfAbsent(channels, unused -> new ArrayList<>()).add(node);
      }
      List<List<Node>> runs = new ArrayList<>();
      for (List<Node> alike : shapes.values()) {
        List<List<Long>> places = new ArrayList<>();
        for (Node node : alike) {
          long target = b.out(node, 0).address();
          places.add(kind.copies() ? List.of(target) : List.of(target, b.in(node, 0).address()));
        }
        EvenRuns.of(places).forEach(run -> runs.add(run.stream().map(alike::get).toList()));
      }
      return runs;
    }

    void all() {
      List<Matrix> matrices = runs.stream().flatMap(List::stream).toList();
      if (!kind.product()) {
        draw(matrices);
      }
      List<Matrix> columns = new ArrayList<>();
      for (Reader reader : Reader.values()) {
        List<Matrix> alike =
            matrices.stream().filter(each -> Reader.of(each.channels()) == reader).toList();
        if (!alike.isEmpty()) {
          read(reader, alike);
        }
        if (reader != Reader.ROWS) {
          columns.addAll(alike);
        }
      }
      if (!columns.isEmpty()) {
        total(columns);
      }
      if (kind.product()) {
        runs.forEach(this::product);
      }
    }

    private Node first() {
      return runs.get(0).get(0).node();
    }

    private long step() {
      return b.in(first(), 1).address();
    }

    private int interval() {
      return Binding.op(first(), Sketch.class).interval();
    }

    /** For a product those who read the gradients do it. */
    private void draw(List<Matrix> matrices) {
      long most = matrices.stream().mapToLong(each -> count(each.op())).max().orElseThrow();
      b.launch("sketch_numbers_bf16")
          .at(constant(matrices, List.of()), step())
          .ints(interval())
          .grid((most + 4 * THREADS + 2) / (4 * THREADS), matrices.size(), THREADS)
          .ready();
    }

    private void read(Reader reader, List<Matrix> matrices) {
      List<Integer> blocks = matrices.stream().map(each -> reader.blocks(each.channels())).toList();
      long table = constant(matrices, blocks);
      b.launch(reader.kernel + b.in(first(), 0).variant())
          .at(table, table + (long) matrices.size() * MATRIX_BYTES, step())
          .ints(interval())
          .grid(blocks.stream().mapToLong(Integer::longValue).sum(), THREADS)
          .ready();
    }

    private void total(List<Matrix> matrices) {
      long most = matrices.stream().mapToInt(each -> each.channels().columns()).max().orElseThrow();
      b.launch("sketch_columns_total")
          .at(constant(matrices, List.of()))
          .grid((most + THREADS - 1) / THREADS, matrices.size(), THREADS)
          .ready();
    }

    /** The matrices, and behind them every block of them. */
    private long constant(List<Matrix> matrices, List<Integer> blocks) {
      int pieces = blocks.stream().mapToInt(Integer::intValue).sum();
      ByteBuffer table =
          ByteBuffer.allocateDirect(matrices.size() * MATRIX_BYTES + pieces * PIECE_BYTES);
      table.order(ByteOrder.LITTLE_ENDIAN);
      matrices.forEach(matrix -> put(table, matrix));
      for (int matrix = 0; matrix < blocks.size(); matrix++) {
        for (int block = 0; block < blocks.get(matrix); block++) {
          table.putInt(matrix).putInt(block);
        }
      }
      return b.constant(table.flip(), "table of gradients");
    }

    private void put(ByteBuffer table, Matrix matrix) {
      Node node = matrix.node();
      Channels channels = matrix.channels();
      long count = count(matrix.op());
      boolean cut = channels.areCut() && !b.dry();
      long sketch = kind.product() ? 0 : b.out(node, 0).address();
      table.putLong(b.in(node, 0).address()).putLong(matrix.numbers()).putLong(matrix.copy());
      table.putLong(sketch).putLong(b.out(node, 1).address()).putLong(matrix.partials());
      table.putLong(matrix.op().key());
      table.putLong(cut ? b.communicator(matrix.op().axis()).rank() * count : 0);
      table.putLong(count).putInt(channels.ownRows()).putInt(channels.columns());
    }

    private void product(List<Matrix> run) {
      Matrix first = run.get(0);
      Matrix second = run.get(run.size() > 1 ? 1 : 0);
      ProductShape shape = shape(first.channels(), first.op().rank(), kind.numbers());
      long source = source(first);
      long target = b.out(first.node(), 0).address();
      ProductBatch batch =
          new ProductBatch(
              shape,
              run.size(),
              (source(second) - source) / kind.numbers().bytes(),
              (second.numbers() - first.numbers()) / kind.numbers().bytes(),
              (b.out(second.node(), 0).address() - target) / Float.BYTES);
      b.product(batch, source, first.numbers(), target, 0, 0);
    }

    private long source(Matrix matrix) {
      return kind.copies() ? matrix.copy() : b.in(matrix.node(), 0).address();
    }
  }

  /**
   * Channels times a matrix of {@code rank} columns.
   *
   * @param element what gradient and matrix are stored in
   */
  static ProductShape shape(Channels channels, int rank, Element element) {
    return new ProductShape(
        !channels.areRows(),
        false,
        channels.own(),
        rank,
        channels.contracted(),
        channels.columns(),
        rank,
        rank,
        element,
        Element.F32,
        false,
        Epilogue.NONE,
        0);
  }
}
