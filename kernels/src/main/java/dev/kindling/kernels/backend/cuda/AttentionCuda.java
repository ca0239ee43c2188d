package dev.kindling.kernels.backend.cuda;

import dev.kindling.kernels.backend.DeviceException;
import dev.kindling.kernels.backend.cuda.layout.Element;
import dev.kindling.kernels.graph.AttentionShape;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.op.Attention;
import dev.kindling.kernels.graph.op.AttentionGradient;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Our own fused attention: kernels of attention.cu, attention_query_gradient.cu and
 * attention_key_gradient.cu. They take bf16 heads whose width is a multiple of 8 up to 256.
 */
final class AttentionCuda {
  private static final int QUERIES = 128;
  private static final int KEYS = 64;
  private static final int WIDTH_STEP = 8;
  private static final int WIDTH_MAX = 256;

  /** Shared memory of a block that heads wider than 128 need: more than Ampere has. */
  static final int WIDE_SHARED = 199_168;

  /**
   * Kernels for heads of one width whose keys and values (and their gradients) have one row stride
   * (c64, c128), or for heads up to a width and any strides (to64, to128, to256).
   *
   * @param width of a head, where the kernels ask for it
   * @param forward dynamic shared memory that the forward kernel states; query and key likewise
   * @param queries of a block of the query gradient, two threads each
   * @param keyBlocks blocks of the key gradient that share the columns of a tile of keys
   */
  private record Kernels(
      String name,
      Optional<Integer> width,
      int forward,
      int query,
      int key,
      int queries,
      int keyBlocks) {
    static Kernels of(AttentionShape shape, boolean oneStride) {
      int width = shape.headDim();
      boolean exact = oneStride && (width == 64 || width == 128);
      String kind = exact ? "c" : "to";
      Optional<Integer> asked = exact ? Optional.empty() : Optional.of(width);
      if (width <= 64) {
        return new Kernels(kind + "64", asked, 82_944, 67_584, 51_712, 128, 1);
      }
      return width <= 128
          ? new Kernels(kind + "128", asked, 99_328, 99_840, 100_864, 64, 1)
          : new Kernels(kind + "256", asked, 197_632, 198_144, WIDE_SHARED, 64, 2);
    }

    String called(String step) {
      return step + "_" + name + "_bf16";
    }

    Launch strides(Launch launch, Operand key, Operand value) {
      launch.ints(key.stride());
      return width.isPresent() ? launch.ints(value.stride()) : launch;
    }

    Launch numbers(Launch launch, AttentionShape shape) {
      width.ifPresent(launch::ints);
      return launch.floats((float) (1 / Math.sqrt(shape.headDim())));
    }
  }

  private AttentionCuda() {}

  static void forward(Binding b, Node node) {
    Attention op = Binding.op(node, Attention.class);
    AttentionShape shape = op.shape();
    Operand q = b.in(node, 0);
    Operand k = b.in(node, 1);
    Operand v = b.in(node, 2);
    Operand o = b.out(node, 0);
    check(node, shape, q);
    Kernels kernels = Kernels.of(shape, k.stride() == v.stride());
    int rows = q.rows() / shape.sequence() * shape.heads();
    boolean hides = op.segments() || shape.hides();
    long starts = hides ? b.scratch((long) q.rows() * Integer.BYTES) : 0;
    firstKeys(b, op.segments() ? b.in(node, 3) : null, starts, q.rows(), shape);
    String kernel = kernels.called("attention");
    b.allowShared(kernel, kernels.forward());
    Launch launch =
        b.launch(kernel)
            .at(q.address(), k.address(), v.address(), starts, o.address())
            .at(b.out(node, 1).address())
            .ints(shape.sequence(), shape.heads(), shape.kvHeads(), q.stride());
    kernels.strides(launch, k, v).ints(o.stride());
    kernels
        .numbers(launch, shape)
        .grid(tiles(shape.sequence(), QUERIES), rows, 256)
        .shared(kernels.forward())
        .ready();
  }

  static void gradient(Binding b, Node node) {
    AttentionGradient op = Binding.op(node, AttentionGradient.class);
    AttentionShape shape = op.shape();
    Operand q = b.in(node, 0);
    check(node, shape, q);
    boolean oneStride =
        b.in(node, 1).stride() == b.in(node, 2).stride()
            && b.out(node, 1).stride() == b.out(node, 2).stride();
    Kernels kernels = Kernels.of(shape, oneStride);
    long statBytes = 2L * Float.BYTES * q.rows() * shape.heads();
    boolean hides = op.segments() || shape.hides();
    long startBytes = hides ? (long) q.rows() * Integer.BYTES : 0;
    long stats = b.scratch(statBytes + startBytes);
    long starts = hides ? stats + statBytes : 0;
    firstKeys(b, op.segments() ? b.in(node, 6) : null, starts, q.rows(), shape);
    queryGradient(b, node, kernels, starts, stats);
    keyGradient(b, node, kernels, starts, stats);
  }

  private static void queryGradient(
      Binding b, Node node, Kernels kernels, long starts, long stats) {
    AttentionShape shape = Binding.op(node, AttentionGradient.class).shape();
    Operand q = b.in(node, 0);
    Operand k = b.in(node, 1);
    Operand v = b.in(node, 2);
    Operand o = b.in(node, 3);
    Operand dOut = b.in(node, 5);
    Operand dq = b.out(node, 0);
    String kernel = kernels.called("attention_query_gradient");
    b.allowShared(kernel, kernels.query());
    Launch launch =
        b.launch(kernel)
            .at(q.address(), k.address(), v.address(), o.address(), b.in(node, 4).address())
            .at(dOut.address(), starts, dq.address(), stats)
            .ints(shape.sequence(), shape.heads(), shape.kvHeads(), q.stride());
    kernels.strides(launch, k, v).ints(o.stride(), dOut.stride(), dq.stride());
    kernels
        .numbers(launch, shape)
        .grid(
            tiles(shape.sequence(), kernels.queries()),
            q.rows() / shape.sequence() * shape.heads(),
            2 * kernels.queries())
        .shared(kernels.query())
        .ready();
  }

  private static void keyGradient(Binding b, Node node, Kernels kernels, long starts, long stats) {
    AttentionShape shape = Binding.op(node, AttentionGradient.class).shape();
    Operand q = b.in(node, 0);
    Operand k = b.in(node, 1);
    Operand v = b.in(node, 2);
    Operand dOut = b.in(node, 5);
    Operand dk = b.out(node, 1);
    Operand dv = b.out(node, 2);
    String kernel = kernels.called("attention_key_gradient");
    b.allowShared(kernel, kernels.key());
    Launch launch =
        b.launch(kernel)
            .at(q.address(), k.address(), v.address(), dOut.address(), starts, stats)
            .at(dk.address(), dv.address())
            .ints(shape.sequence(), shape.heads(), shape.kvHeads(), q.stride());
    kernels.strides(launch, k, v).ints(dOut.stride());
    kernels.strides(launch, dk, dv);
    kernels
        .numbers(launch, shape)
        .grid(
            (long) kernels.keyBlocks() * tiles(shape.sequence(), KEYS),
            q.rows() / shape.sequence() * shape.kvHeads(),
            128)
        .shared(kernels.key())
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
    boolean width = shape.headDim() % WIDTH_STEP == 0 && shape.headDim() <= WIDTH_MAX;
    if (!width || q.element() != Element.BF16) {
      throw new DeviceException(
          "cuda: "
              + node.op()
              + ": expected head_dim a multiple of "
              + WIDTH_STEP
              + " up to "
              + WIDTH_MAX
              + " in bf16, found "
              + shape.headDim()
              + " in "
              + q.element());
    }
  }

  private static int tiles(int length, int tile) {
    return (length + tile - 1) / tile;
  }
}
