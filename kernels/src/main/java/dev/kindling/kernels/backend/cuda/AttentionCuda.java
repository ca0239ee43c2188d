package dev.kindling.kernels.backend.cuda;

import dev.kindling.kernels.backend.DeviceException;
import dev.kindling.kernels.backend.cuda.layout.Element;
import dev.kindling.kernels.graph.AttentionShape;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.op.Attention;
import dev.kindling.kernels.graph.op.AttentionGradient;
import org.jspecify.annotations.Nullable;

/** Our own fused attention: kernels of attention.cu and attention_gradient.cu. */
final class AttentionCuda {
  private static final int QUERIES = 128;
  private static final int KEYS = 64;

  /** Dynamic shared memory that each kernel states. */
  private record Shared(int forward, int query, int key) {}

  private AttentionCuda() {}

  static void forward(Binding b, Node node) {
    Attention op = Binding.op(node, Attention.class);
    AttentionShape shape = op.shape();
    Operand q = b.in(node, 0);
    Operand k = b.in(node, 1);
    Operand o = b.out(node, 0);
    check(node, shape, q);
    Shared shared = shared(shape);
    int rows = q.rows() / shape.sequence() * shape.heads();
    boolean hides = op.segments() || shape.hides();
    long starts = hides ? b.scratch((long) q.rows() * Integer.BYTES) : 0;
    firstKeys(b, op.segments() ? b.in(node, 3) : null, starts, q.rows(), shape);
    String kernel = "attention_c" + shape.headDim() + "_bf16";
    b.allowShared(kernel, shared.forward());
    b.launch(kernel)
        .at(q.address(), k.address(), b.in(node, 2).address(), starts, o.address())
        .at(b.out(node, 1).address())
        .ints(shape.sequence(), shape.heads(), shape.kvHeads(), q.stride(), k.stride(), o.stride())
        .floats(scale(shape))
        .grid(tiles(shape.sequence(), QUERIES), rows, 256)
        .shared(shared.forward())
        .ready();
  }

  static void gradient(Binding b, Node node) {
    AttentionGradient op = Binding.op(node, AttentionGradient.class);
    AttentionShape shape = op.shape();
    Operand q = b.in(node, 0);
    check(node, shape, q);
    long statBytes = 2L * Float.BYTES * q.rows() * shape.heads();
    boolean hides = op.segments() || shape.hides();
    long startBytes = hides ? (long) q.rows() * Integer.BYTES : 0;
    long stats = b.scratch(statBytes + startBytes);
    long starts = hides ? stats + statBytes : 0;
    firstKeys(b, op.segments() ? b.in(node, 6) : null, starts, q.rows(), shape);
    queryGradient(b, node, shape, starts, stats);
    keyGradient(b, node, shape, starts, stats);
  }

  private static void queryGradient(
      Binding b, Node node, AttentionShape shape, long starts, long stats) {
    Operand q = b.in(node, 0);
    Operand k = b.in(node, 1);
    Operand dOut = b.in(node, 5);
    Operand dq = b.out(node, 0);
    Shared shared = shared(shape);
    String kernel = "attention_query_gradient_c" + shape.headDim() + "_bf16";
    b.allowShared(kernel, shared.query());
    int tile = shape.headDim() == 64 ? 128 : 64;
    b.launch(kernel)
        .at(q.address(), k.address(), b.in(node, 2).address(), b.in(node, 3).address())
        .at(b.in(node, 4).address(), dOut.address(), starts, dq.address(), stats)
        .ints(shape.sequence(), shape.heads(), shape.kvHeads(), q.stride(), k.stride())
        .ints(b.in(node, 3).stride(), dOut.stride(), dq.stride())
        .floats(scale(shape))
        .grid(
            tiles(shape.sequence(), tile),
            q.rows() / shape.sequence() * shape.heads(),
            shape.headDim() == 64 ? 256 : 128)
        .shared(shared.query())
        .ready();
  }

  private static void keyGradient(
      Binding b, Node node, AttentionShape shape, long starts, long stats) {
    Operand q = b.in(node, 0);
    Operand k = b.in(node, 1);
    Operand dOut = b.in(node, 5);
    Operand dk = b.out(node, 1);
    Shared shared = shared(shape);
    String kernel = "attention_key_gradient_c" + shape.headDim() + "_bf16";
    b.allowShared(kernel, shared.key());
    b.launch(kernel)
        .at(q.address(), k.address(), b.in(node, 2).address(), dOut.address(), starts, stats)
        .at(dk.address(), b.out(node, 2).address())
        .ints(shape.sequence(), shape.heads(), shape.kvHeads(), q.stride(), k.stride())
        .ints(dOut.stride(), dk.stride())
        .floats(scale(shape))
        .grid(tiles(shape.sequence(), KEYS), q.rows() / shape.sequence() * shape.kvHeads(), 128)
        .shared(shared.key())
        .ready();
  }

  /** Writes what each token sees first, where documents or a window hide what lies before it. */
  private static void firstKeys(
      Binding b, @Nullable Operand segments, long to, int tokens, AttentionShape s) {
    if (segments != null || s.hides()) {
      b.launch("attention_first_keys")
          .at(segments == null ? 0 : segments.address(), to)
          .ints(s.sequence(), s.hides() ? s.window() : s.sequence())
          .grid(tokens / s.sequence(), 1024)
          .ready();
    }
  }

  private static void check(Node node, AttentionShape shape, Operand q) {
    boolean width = shape.headDim() == 64 || shape.headDim() == 128;
    if (!width || q.element() != Element.BF16) {
      throw new DeviceException(
          "cuda: "
              + node.op()
              + ": expected head_dim 64 or 128 in bf16, found "
              + shape.headDim()
              + " in "
              + q.element());
    }
  }

  private static Shared shared(AttentionShape shape) {
    return shape.headDim() == 64
        ? new Shared(82_944, 67_584, 51_712)
        : new Shared(99_328, 99_840, 100_864);
  }

  private static float scale(AttentionShape shape) {
    return (float) (1 / Math.sqrt(shape.headDim()));
  }

  private static int tiles(int length, int tile) {
    return (length + tile - 1) / tile;
  }
}
