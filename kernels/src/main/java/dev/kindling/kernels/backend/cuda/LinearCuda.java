package dev.kindling.kernels.backend.cuda;

import dev.kindling.kernels.backend.cuda.ProductShape.Epilogue;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.op.BiasGradient;
import dev.kindling.kernels.graph.op.Linear;
import dev.kindling.kernels.graph.op.LinearInputGradient;
import dev.kindling.kernels.graph.op.LinearOnto;
import dev.kindling.kernels.graph.op.LinearWeightGradient;
import dev.kindling.kernels.graph.op.WeightLayout;
import java.util.List;
import java.util.function.Function;

/** The three products of a linear layer, and the bias gradient of column.cu. */
final class LinearCuda {
  private static final int STRIP = 256;

  private LinearCuda() {}

  static void forward(Binding b, Node node) {
    Linear op = Binding.op(node, Linear.class);
    Operand x = b.in(node, 0);
    Operand weight = b.copyOf(node.input(1));
    Operand y = b.out(node, 0);
    boolean outIn = op.layout() == WeightLayout.OUT_IN;
    long bias = op.bias() ? b.copyOf(node.input(2)).address() : 0;
    Epilogue epilogue = op.bias() ? Epilogue.BIAS : Epilogue.NONE;
    ProductShape shape = shape(new Side(x, false), new Side(weight, outIn), y, false, epilogue, 0);
    b.product(shape, x.address(), weight.address(), y.address(), bias, 0);
  }

  static void inputGradient(Binding b, Node node) {
    LinearInputGradient op = Binding.op(node, LinearInputGradient.class);
    Operand dy = b.in(node, 0);
    Operand weight = b.copyOf(node.input(1));
    Operand dx = b.out(node, 0);
    boolean outIn = op.layout() == WeightLayout.OUT_IN;
    ProductShape shape =
        shape(new Side(dy, false), new Side(weight, !outIn), dx, op.accumulate(), Epilogue.NONE, 0);
    b.product(shape, dy.address(), weight.address(), dx.address(), 0, 0);
  }

  static void onto(Binding b, Node node) {
    Operand x = b.in(node, 0);
    Operand weight = b.copyOf(node.input(1));
    Operand y = b.out(node, 0);
    boolean adds = !Binding.op(node, LinearOnto.class).over();
    ProductShape shape =
        shape(new Side(x, false), new Side(weight, true), y, adds, Epilogue.NONE, 0);
    b.product(shape, x.address(), weight.address(), y.address(), 0, 0);
  }

  static void weightGradient(Binding b, Node node) {
    LinearWeightGradient op = Binding.op(node, LinearWeightGradient.class);
    boolean outIn = op.layout() == WeightLayout.OUT_IN;
    // A factor of a masked weight stands where an activation does.
    Operand left = b.copyOf(node.input(outIn ? 1 : 0));
    Operand right = b.copyOf(node.input(outIn ? 0 : 1));
    Operand dw = b.out(node, 0);
    ProductShape shape =
        shape(new Side(left, true), new Side(right, false), dw, op.accumulate(), Epilogue.NONE, 0);
    b.product(shape, left.address(), right.address(), dw.address(), 0, 0);
  }

  /** x [T, K] times stacked weights [sum N, K]. */
  static void packedForward(Binding b) {
    List<Node> nodes = b.byColumns();
    Node first = nodes.get(0);
    boolean biased = Binding.op(first, Linear.class).bias();
    Operand x = b.in(first, 0);
    Operand weights = weights(b, nodes);
    Operand y = widened(b.out(first, 0), weights.rows());
    long bias = biased ? b.copyOf(first.input(2)).address() : 0;
    Epilogue epilogue = biased ? Epilogue.BIAS : Epilogue.NONE;
    ProductShape shape = shape(new Side(x, false), new Side(weights, true), y, false, epilogue, 0);
    b.product(shape, x.address(), weights.address(), y.address(), bias, 0);
  }

  /** Packed dy [T, sum N] times stacked weights [sum N, K]. */
  static void packedInputGradient(Binding b) {
    List<Node> nodes = b.byColumns();
    Node first = nodes.get(0);
    Operand weights = weights(b, nodes);
    Operand dy = widened(b.in(first, 0), weights.rows());
    Operand dx = b.out(b.group().last(), 0);
    boolean accumulate =
        Binding.op(b.group().nodes().get(0), LinearInputGradient.class).accumulate();
    ProductShape shape =
        shape(new Side(dy, false), new Side(weights, false), dx, accumulate, Epilogue.NONE, 0);
    b.product(shape, dy.address(), weights.address(), dx.address(), 0, 0);
  }

  /** Packed dy [T, sum N] transposed times x [T, K], into stacked gradients [sum N, K]. */
  static void packedWeightGradient(Binding b) {
    List<Node> nodes = b.byColumns();
    Node first = nodes.get(0);
    Operand gradients = stacked(b, nodes, b.out(first, 0), node -> b.out(node, 0));
    Operand dy = widened(b.in(first, 1), gradients.rows());
    Operand x = b.in(first, 0);
    boolean accumulate = Binding.op(first, LinearWeightGradient.class).accumulate();
    ProductShape shape =
        shape(new Side(dy, true), new Side(x, false), gradients, accumulate, Epilogue.NONE, 0);
    b.product(shape, dy.address(), x.address(), gradients.address(), 0, 0);
  }

  /** What the product reads of all weights, below each other. */
  private static Operand weights(Binding b, List<Node> nodes) {
    List<Value> weights = nodes.stream().map(node -> node.input(1)).toList();
    return weights.stream().anyMatch(b::hasCodes)
        ? Int8Cuda.decoded(b, weights)
        : stacked(b, nodes, b.copyOf(weights.get(0)), node -> b.copyOf(node.input(1)));
  }

  /** The matrices of all nodes as one, after checking that they lie below each other. */
  private static Operand stacked(
      Binding b, List<Node> nodes, Operand top, Function<Node, Operand> piece) {
    long next = top.address();
    int rows = 0;
    for (Node node : nodes) {
      Operand operand = piece.apply(node);
      if (operand.address() != next) {
        throw new IllegalStateException(b.group() + ": the matrices do not lie side by side");
      }
      next += operand.elements() * operand.element().bytes();
      rows += operand.rows();
    }
    return new Operand(top.address(), top.element(), Shape.of(rows, top.columns()), top.columns());
  }

  private static Operand widened(Operand left, int columns) {
    return new Operand(
        left.address(), left.element(), Shape.of(left.rows(), columns), left.stride());
  }

  /** y = gelu(x W + bias); the sum itself is kept where backward wants it. */
  static void forwardGelu(Binding b) {
    Node linear = b.group().nodes().get(0);
    Node gelu = b.group().last();
    Linear op = Binding.op(linear, Linear.class);
    Operand x = b.in(linear, 0);
    Operand weight = b.copyOf(linear.input(1));
    Operand y = b.out(gelu, 0);
    boolean outIn = op.layout() == WeightLayout.OUT_IN;
    boolean kept = b.isStored(linear.output(0));
    long bias = op.bias() ? b.copyOf(linear.input(2)).address() : 0;
    int strideAux = kept ? b.out(linear, 0).stride() : 0;
    Epilogue epilogue = op.bias() ? Epilogue.GELU_BIAS : Epilogue.GELU;
    ProductShape shape =
        shape(new Side(x, false), new Side(weight, outIn), y, false, epilogue, strideAux);
    long auxiliary = kept ? b.out(linear, 0).address() : 0;
    b.product(shape, x.address(), weight.address(), y.address(), bias, auxiliary);
  }

  /** dx = (dy W) * gelu'(sum before the GELU). */
  static void inputGradientGelu(Binding b) {
    Node product = b.group().nodes().get(0);
    Node gelu = b.group().last();
    LinearInputGradient op = Binding.op(product, LinearInputGradient.class);
    Operand dy = b.in(product, 0);
    Operand weight = b.copyOf(product.input(1));
    Operand before = b.in(gelu, 0);
    Operand dx = b.out(gelu, 0);
    boolean outIn = op.layout() == WeightLayout.OUT_IN;
    Epilogue epilogue = Epilogue.GELU_GRADIENT;
    ProductShape shape =
        shape(new Side(dy, false), new Side(weight, !outIn), dx, false, epilogue, before.stride());
    b.product(shape, dy.address(), weight.address(), dx.address(), 0, before.address());
  }

  /** A factor as it lies in memory, and whether the product wants it transposed. */
  private record Side(Operand matrix, boolean transposed) {}

  private static ProductShape shape(
      Side a, Side b, Operand d, boolean accumulate, Epilogue epilogue, int strideAux) {
    return new ProductShape(
        a.transposed(),
        b.transposed(),
        d.rows(),
        d.columns(),
        a.transposed() ? a.matrix().rows() : a.matrix().columns(),
        a.matrix().stride(),
        b.matrix().stride(),
        d.stride(),
        a.matrix().element(),
        d.element(),
        accumulate,
        epilogue,
        strideAux);
  }

  static void biasGradient(Binding b, Node node) {
    Operand dy = b.in(node, 0);
    int blocksX = (dy.columns() + STRIP - 1) / STRIP;
    int wanted = Math.max(1, 8 * b.multiprocessors() / blocksX);
    int rowsPerBlock = Math.max(32, (dy.rows() / wanted + 31) / 32 * 32);
    int parts = (dy.rows() + rowsPerBlock - 1) / rowsPerBlock;
    long partials = b.scratch((long) parts * dy.columns() * Float.BYTES);
    b.launch("sum_columns" + dy.variant())
        .at(dy.address(), partials)
        .ints(dy.rows(), dy.columns(), dy.stride(), rowsPerBlock)
        .grid(blocksX, parts, 32)
        .block(32, 8)
        .ready();
    boolean accumulate = Binding.op(node, BiasGradient.class).accumulate();
    ColumnCuda.Partials sum =
        new ColumnCuda.Partials(partials, b.out(node, 0).address(), accumulate);
    ColumnCuda.sumPartials(b, List.of(sum), parts, dy.columns());
  }
}
