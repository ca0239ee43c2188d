package dev.kindling.kernels.backend.cuda;

import dev.kindling.kernels.backend.cuda.ProductShape.Epilogue;
import dev.kindling.kernels.backend.cuda.layout.Element;
import dev.kindling.kernels.graph.Channels;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.op.ScaledUpdate;
import dev.kindling.kernels.graph.op.Sketch;
import dev.kindling.kernels.graph.op.SketchMoments;
import dev.kindling.kernels.random.Int8Grid;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;

/**
 * Kernels of sketch.cu; a sketch of more than one number per channel is a product of the library.
 */
final class SketchCuda {
  private static final int THREADS = 256;
  private static final int STRIP_ROWS = 64;

  /** Columns of a block where a thread has eight of them. */
  private static final int WIDE = 256;

  private static final int TENSOR_BYTES = 72;
  private static final int LIMIT_BYTES = 32;

  private SketchCuda() {}

  /**
   * Where the parts of a sketch's scratch lie.
   *
   * @param projection P
   * @param copy the gradient in bf16 where the product wants one, else 0
   * @param partials sums of strips of rows
   */
  private record Scratch(long projection, long copy, long partials) {
    static Scratch of(Binding b, Sketch op, Element numbers, boolean copies) {
      Channels channels = op.channels();
      long projection = aligned((long) channels.contracted() * op.rank() * numbers.bytes());
      long elements = (long) channels.ownRows() * channels.columns();
      long copy = copies ? aligned(elements * Element.BF16.bytes()) : 0;
      long partials =
          channels.areRows() ? 0 : 2L * strips(channels) * channels.columns() * Float.BYTES;
      long at = b.scratch(projection + copy + partials);
      return new Scratch(at, copies ? at + projection : 0, at + projection + copy);
    }

    private static long aligned(long bytes) {
      return (bytes + 255) / 256 * 256;
    }
  }

  private static int strips(Channels channels) {
    return (channels.ownRows() + STRIP_ROWS - 1) / STRIP_ROWS;
  }

  static void sketch(Binding b, Node node) {
    Sketch op = Binding.op(node, Sketch.class);
    Operand gradient = b.in(node, 0);
    boolean product = op.rank() > 1;
    boolean copies = product && gradient.element() == Element.F32 && b.bf16();
    boolean wide = product && gradient.element() == Element.F32 && !copies;
    Scratch scratch = Scratch.of(b, op, wide ? Element.F32 : Element.BF16, copies);
    draw(b, node, scratch.projection(), wide ? "_f32" : "_bf16");
    long vector = product ? 0 : scratch.projection();
    long dots = product ? 0 : b.out(node, 0).address();
    if (op.channels().areRows()) {
      rows(b, node, vector, scratch.copy(), dots);
    } else {
      columns(b, node, vector, scratch, dots);
    }
    if (product) {
      long from = copies ? scratch.copy() : gradient.address();
      long[] abd = {from, scratch.projection(), b.out(node, 0).address()};
      product(b, op.channels(), op.rank(), abd, wide ? Element.F32 : Element.BF16);
    }
  }

  private static void draw(Binding b, Node node, long target, String variant) {
    Sketch op = Binding.op(node, Sketch.class);
    Channels channels = op.channels();
    long numbers = (long) channels.contracted() * op.rank();
    long first = channels.areCut() && !b.dry() ? b.communicator(op.axis()).rank() * numbers : 0;
    b.launch("sketch_numbers" + variant)
        .at(b.in(node, 1).address(), target)
        .longs(numbers, op.key(), first)
        .ints(op.interval())
        .grid((numbers + 4 * THREADS + 2) / (4 * THREADS), THREADS)
        .ready();
  }

  private static void rows(Binding b, Node node, long vector, long copy, long dots) {
    Channels channels = Binding.op(node, Sketch.class).channels();
    Operand gradient = b.in(node, 0);
    b.launch("sketch_rows" + gradient.variant())
        .at(gradient.address(), vector, copy, dots, b.out(node, 1).address())
        .ints(channels.ownRows(), channels.columns())
        .grid((channels.ownRows() + THREADS / 32 - 1) / (THREADS / 32), THREADS)
        .ready();
  }

  private static void columns(Binding b, Node node, long vector, Scratch scratch, long dots) {
    Channels channels = Binding.op(node, Sketch.class).channels();
    Operand gradient = b.in(node, 0);
    boolean wide = channels.columns() % 8 == 0;
    int block = wide ? WIDE : 32;
    b.launch("sketch_columns" + (wide ? "_wide" : "") + gradient.variant())
        .at(gradient.address(), vector, scratch.copy(), scratch.partials())
        .ints(channels.ownRows(), channels.columns())
        .grid((channels.columns() + block - 1) / block, strips(channels), THREADS)
        .ready();
    b.launch("sketch_columns_total")
        .at(scratch.partials(), dots, b.out(node, 1).address())
        .ints(channels.columns(), strips(channels))
        .grid((channels.columns() + THREADS - 1) / THREADS, THREADS)
        .ready();
  }

  /**
   * Channels times a matrix of {@code rank} columns.
   *
   * @param abd addresses of gradient, matrix and result
   * @param element what gradient and matrix are stored in
   */
  static void product(Binding b, Channels channels, int rank, long[] abd, Element element) {
    ProductShape shape =
        new ProductShape(
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
    b.product(shape, abd[0], abd[1], abd[2], 0, 0);
  }

  /** Every sketch of the group in one launch, then the sums of each. */
  static void moments(Binding b, Node node) {
    List<Node> nodes = b.group().nodes();
    SketchMoments op = Binding.op(node, SketchMoments.class);
    long channels = nodes.stream().mapToLong(each -> b.out(each, 2).elements()).sum();
    long norms = b.scratch(channels * SketchMoments.SUMS * Float.BYTES);
    ByteBuffer table = table(nodes.size() * TENSOR_BYTES);
    int threads = 1;
    for (Node each : nodes) {
      Operand sketch = b.in(each, 0);
      int lanes = lanes(sketch.columns());
      threads = Math.max(threads, sketch.rows() * lanes);
      table.putLong(sketch.address()).putLong(b.in(each, 1).address());
      table.putLong(b.out(each, 0).address()).putLong(b.out(each, 1).address());
      table.putLong(b.out(each, 2).address()).putLong(norms).putLong(b.out(each, 3).address());
      table.putInt(sketch.rows()).putInt(sketch.columns()).putInt(lanes);
      table.putFloat(Binding.op(each, SketchMoments.class).copies());
      norms += (long) sketch.rows() * SketchMoments.SUMS * Float.BYTES;
    }
    long tensors = b.constant(table.flip(), "table of sketches");
    b.launch("sketch_moments")
        .at(tensors, b.in(node, 4).address())
        .floats(op.beta1(), op.beta2(), op.eps())
        .ints(op.perChannel() ? 1 : 0)
        .grid((threads + THREADS - 1) / THREADS, nodes.size(), THREADS)
        .ready();
    b.launch("sketch_sums").at(tensors).grid(nodes.size(), THREADS).ready();
  }

  /** Threads of one channel: a power of two that has work for each. */
  private static int lanes(int rank) {
    int steps = rank % 4 == 0 ? rank / 4 : rank;
    return Math.min(32, Integer.highestOneBit(steps));
  }

  private static ByteBuffer table(int bytes) {
    return ByteBuffer.allocateDirect(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  /** Every update of the group: the limits in one launch, the matrices in another. */
  static void update(Binding b, Node node) {
    List<Node> nodes = b.group().nodes();
    ScaledUpdate op = Binding.op(node, ScaledUpdate.class);
    long multipliers = b.scratch((long) nodes.size() * Float.BYTES);
    ByteBuffer limits = table(nodes.size() * LIMIT_BYTES);
    TensorTable matrices = new TensorTable();
    long multiplier = multipliers;
    for (Node each : nodes) {
      limits.putLong(b.in(each, 3).address());
      limits.putLong(op.limits() ? b.out(each, 1).address() : 0).putLong(multiplier);
      limits.putFloat(Binding.op(each, ScaledUpdate.class).alpha()).putInt(0);
      matrices.add(matrix(b, each, multiplier));
      multiplier += Float.BYTES;
    }
    long scale = b.in(node, node.inputs().size() - 2).address();
    long step = b.in(node, node.inputs().size() - 1).address();
    b.launch("scaled_limit")
        .at(b.constant(limits.flip(), "table of limits"), scale, step)
        .floats(op.growth())
        .ints(op.perChannel() ? 1 : 0, op.front() ? 1 : 0)
        .grid(nodes.size(), 1)
        .ready();
    String kernel = op.roundingKey().isPresent() ? "scaled_update_int8" : "scaled_update";
    b.launch(kernel, matrices).at(scale, step).ready();
  }

  private static TensorTable.Entry matrix(Binding b, Node node, long multiplier) {
    ScaledUpdate op = Binding.op(node, ScaledUpdate.class);
    Channels channels = op.channels();
    float[] numbers = {op.weightDecay(), channels.columns(), channels.areRows() ? 1f : 0f};
    long elements = node.output(0).shape().elements();
    boolean coded = op.roundingKey().isPresent();
    long codes = coded ? b.codesAddress(node.input(0)) : 0;
    return new TensorTable.Entry(
        coded ? codes : b.out(node, 0).address(),
        b.in(node, 1).address(),
        op.perChannel() ? b.in(node, 2).address() : 0,
        multiplier,
        coded ? codes + Int8Grid.gridsAt(elements) : b.copyAddress(node.input(0)),
        elements,
        numbers,
        op.roundingKey().orElse(0L),
        b.in(node, 1).element());
  }
}
