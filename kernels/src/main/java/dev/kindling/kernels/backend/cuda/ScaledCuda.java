package dev.kindling.kernels.backend.cuda;

import dev.kindling.kernels.graph.Channels;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.op.ScaledUpdate;
import dev.kindling.kernels.graph.op.SketchMoments;
import dev.kindling.kernels.random.Int8Grid;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;

/** Kernels of scaled.cu: what becomes of a sketch. */
final class ScaledCuda {
  private static final int THREADS = 256;
  private static final int TENSOR_BYTES = 72;
  private static final int LIMIT_BYTES = 32;

  private ScaledCuda() {}

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
