package dev.kindling.kernels.backend.cuda;

import dev.kindling.kernels.backend.cuda.layout.Precision;
import dev.kindling.kernels.graph.AttentionShape;
import dev.kindling.kernels.graph.Columns;
import dev.kindling.kernels.graph.Demand;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Init;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.Accumulate;
import dev.kindling.kernels.graph.op.Accumulation;
import dev.kindling.kernels.graph.op.Attention;
import dev.kindling.kernels.graph.op.AttentionGradient;
import dev.kindling.kernels.graph.op.BiasGradient;
import dev.kindling.kernels.graph.op.CachedAttention;
import dev.kindling.kernels.graph.op.ConcatColumns;
import dev.kindling.kernels.graph.op.ConcatRows;
import dev.kindling.kernels.graph.op.Copy;
import dev.kindling.kernels.graph.op.CrossEntropy;
import dev.kindling.kernels.graph.op.CrossEntropyWithGradient;
import dev.kindling.kernels.graph.op.DequantizeNf4;
import dev.kindling.kernels.graph.op.Dropout;
import dev.kindling.kernels.graph.op.Embedding;
import dev.kindling.kernels.graph.op.EmbeddingGradient;
import dev.kindling.kernels.graph.op.Fill;
import dev.kindling.kernels.graph.op.GatherColumns;
import dev.kindling.kernels.graph.op.Gelu;
import dev.kindling.kernels.graph.op.GeluGradient;
import dev.kindling.kernels.graph.op.LayerNorm;
import dev.kindling.kernels.graph.op.LayerNormGradient;
import dev.kindling.kernels.graph.op.Magnitude;
import dev.kindling.kernels.graph.op.MagnitudeGradient;
import dev.kindling.kernels.graph.op.MaskedGradient;
import dev.kindling.kernels.graph.op.MaskedWeight;
import dev.kindling.kernels.graph.op.Op;
import dev.kindling.kernels.graph.op.RandomNormal;
import dev.kindling.kernels.graph.op.RmsNorm;
import dev.kindling.kernels.graph.op.RmsNormGradient;
import dev.kindling.kernels.graph.op.Rope;
import dev.kindling.kernels.graph.op.RowNorms;
import dev.kindling.kernels.graph.op.Scale;
import dev.kindling.kernels.graph.op.ScatterColumns;
import dev.kindling.kernels.graph.op.SliceRows;
import dev.kindling.kernels.graph.op.SplitColumns;
import dev.kindling.kernels.graph.op.SwiGlu;
import dev.kindling.kernels.graph.op.SwiGluGradient;
import dev.kindling.kernels.graph.op.WeightLayout;
import dev.kindling.kernels.graph.op.WriteRows;
import java.util.List;

/**
 * Sentences in which every kernel of ours speaks once, over a few tokens; products are the
 * library's and stay out, unless kernels of ours speak before them alone. All variables hold small
 * numbers that bf16 holds too.
 */
final class SelfTestGraph {
  static final int TOKENS = 24;
  private static final int SEQUENCE = 12;
  static final int WIDTH = 128;
  static final int ROWS = 40;
  private static final float EPS = 1e-5f;

  final GraphBuilder b = new GraphBuilder();
  private int outputs;
  private int variables;

  private SelfTestGraph() {}

  /**
   * @param sharedBytes of a block; kernels that need more are left out
   */
  static Graph of(Precision precision, int sharedBytes) {
    SelfTestGraph test = new SelfTestGraph();
    Value x = test.activation(WIDTH);
    Value y = test.activation(WIDTH);
    test.elements(x, y);
    test.columns(x);
    test.norms(x, y);
    test.tables(x);
    test.cache(x);
    new SelfTestUpdates(test).speak(x, precision);
    test.adapters(x, y);
    if (precision == Precision.BF16) {
      test.attention(x, y, 64);
      test.attention(x, y, 128);
      test.attention(x, y, 16);
      test.attention(test.activation(96), test.activation(96), 96);
      if (sharedBytes >= AttentionCuda.WIDE_SHARED) {
        test.attention(test.activation(320), test.activation(320), 160);
      }
    }
    return test.b.build();
  }

  /** A matrix that a node wrote: rows of a table. */
  private Value activation(int width) {
    return b.embedding(floats(Role.PARAMETER, ROWS, width), ids());
  }

  Value ids() {
    return b.variable(new Variable("ids", ValueType.i32(TOKENS), Role.INPUT));
  }

  Value floats(Role role, int... dims) {
    return b.variable(new Variable("v" + variables++, ValueType.f32(dims), role));
  }

  /** A gradient in the precision of the device. */
  Value fresh(int... dims) {
    return floats(Role.FRESH_GRADIENT, dims);
  }

  /** A parameter that nothing updates: in bf16 alone where the device has that. */
  private Value frozen(int... dims) {
    Shape shape = Shape.of(dims);
    return b.param(new Param("v" + variables++, shape, Demand.none(), Init.zeros(), false));
  }

  Value words(ValueType type) {
    return b.variable(new Variable("v" + variables++, type, Role.STATE));
  }

  void show(Value value) {
    b.output("out" + outputs++, value);
  }

  /** Appends the operation and shows all its outputs. */
  List<Value> show(Op op, Value... inputs) {
    List<Value> values = b.add(op, inputs);
    values.forEach(this::show);
    return values;
  }

  private void elements(Value x, Value y) {
    show(b.add(x, y));
    show(new Gelu(), x);
    show(new GeluGradient(), x, y);
    show(new SwiGlu(), x, y);
    show(new SwiGluGradient(), x, y, b.add(x, y));
    show(new RandomNormal(Shape.of(7, 3), 11), b.step());
    Value sum = floats(Role.STATE, 9, 5);
    show(new Accumulate(), sum, floats(Role.STATE, 9, 5));
    show(new Copy(), floats(Role.STATE, 9, 5), floats(Role.STATE, 9, 5));
    show(new Copy(), floats(Role.STATE, 9, 5), floats(Role.WORKING, 9, 5));
    show(new Fill(0.5f), floats(Role.STATE, 9, 5), floats(Role.STATE, 3));
  }

  private void columns(Value x) {
    List<Value> pieces = show(new SplitColumns(List.of(3, WIDTH - 3)), x);
    show(new ConcatColumns(), pieces.get(1), pieces.get(0));
    Value rows = show(new SliceRows(5, 7), x).get(0);
    show(new ConcatRows(), rows, x);
    show(new GatherColumns(new Columns(List.of(WIDTH - 1, 0, 5))), x);
    show(new BiasGradient(true), x, floats(Role.GRADIENT, WIDTH));
  }

  private void norms(Value x, Value y) {
    Value gain = floats(Role.PARAMETER, WIDTH);
    Value bias = floats(Role.PARAMETER, WIDTH);
    List<Value> rms = show(new RmsNorm(EPS), x, gain);
    show(new RmsNormGradient(true, Accumulation.FRESH), x, gain, rms.get(1), y, x);
    List<Value> layer = show(new LayerNorm(EPS), x, gain, bias);
    Accumulation fresh = Accumulation.FRESH;
    show(new LayerNormGradient(true, fresh, fresh), x, gain, layer.get(1), y, x);
  }

  private void tables(Value x) {
    show(new EmbeddingGradient(ROWS, false), x, ids());
    show(new EmbeddingGradient(ROWS, true), x, ids(), fresh(ROWS, WIDTH));
    show(new EmbeddingGradient(ROWS, false, true), x, ids(), fresh(ROWS, WIDTH));
    show(new Rope(64, 10000, false), x, positions());
    show(new Rope(64, 10000, true), x, positions());
    show(new CrossEntropy(), x, ids());
    show(new CrossEntropyWithGradient(false), x, ids());
  }

  private void cache(Value x) {
    Value places = b.variable(new Variable("places", ValueType.i32(TOKENS), Role.INPUT));
    Value lengths = b.variable(new Variable("lengths", ValueType.i32(TOKENS), Role.INPUT));
    AttentionShape shape = new AttentionShape(4, 2, WIDTH / 4, SEQUENCE);
    Value table = floats(Role.STATE, TOKENS * 2, WIDTH);
    show(new WriteRows(), x, table, places);
    Value keys = floats(Role.STATE, TOKENS * SEQUENCE, WIDTH / 2);
    Value values = floats(Role.STATE, TOKENS * SEQUENCE, WIDTH / 2);
    show(new CachedAttention(shape), x, keys, values, lengths);
  }

  private Value positions() {
    return b.variable(new Variable("positions", ValueType.i32(TOKENS), Role.INPUT));
  }

  private void adapters(Value x, Value y) {
    show(new Scale(-1.5f), x);
    Value place = b.variable(new Variable("place", ValueType.i32(2), Role.INPUT));
    show(new Dropout(0.25f, 42), x, place);
    Value norms = rowNorms(WeightLayout.OUT_IN);
    rowNorms(WeightLayout.IN_OUT);
    maskedWeight(WeightLayout.OUT_IN);
    Value length = floats(Role.PARAMETER, WIDTH);
    show(new Magnitude(true), x, length, norms, floats(Role.PARAMETER, WIDTH));
    show(new MagnitudeGradient(), x, y, length, norms);
    Columns columns = new Columns(List.of(WIDTH - 1, 0));
    Op scatter = new ScatterColumns(WeightLayout.OUT_IN, columns, 0.5f);
    for (Value delta : List.of(floats(Role.PARAMETER, ROWS, 2), frozen(ROWS, 2))) {
      Value base = floats(Role.PARAMETER, ROWS, 2);
      Value written = b.add(scatter, base, delta, frozen(ROWS, WIDTH)).get(0);
      show(new Embedding(), written, ids());
    }
    Value codes = b.variable(new Variable("v" + variables++, ValueType.i32(22), Role.FROZEN));
    Value scales = b.variable(new Variable("v" + variables++, ValueType.i32(1), Role.FROZEN));
    show(new DequantizeNf4(Shape.of(9, 19)), codes, scales, floats(Role.FROZEN, 2));
  }

  private Value rowNorms(WeightLayout layout) {
    int[] dims = layout.shape(WIDTH, 17).dims().stream().mapToInt(dim -> dim).toArray();
    Value weight = floats(Role.PARAMETER, dims);
    Value down = floats(Role.PARAMETER, 3, 17);
    Value up = floats(Role.PARAMETER, WIDTH, 3);
    return show(new RowNorms(layout, 0.5f), weight, down, up).get(0);
  }

  private void maskedWeight(WeightLayout layout) {
    Value weight = floats(Role.PARAMETER, WIDTH, 17);
    Value down = floats(Role.PARAMETER, 3, 17);
    Value up = floats(Role.PARAMETER, WIDTH, 3);
    show(new MaskedWeight(layout, 0.5f), weight, down, up);
    show(new MaskedGradient(layout, 0.5f), floats(Role.GRADIENT, WIDTH, 17), weight);
  }

  private void attention(Value x, Value y, int headDim) {
    int heads = x.type().shape().dim(1) / headDim;
    AttentionShape shape = new AttentionShape(heads, heads, headDim, SEQUENCE);
    Value segments = b.variable(new Variable("segments", ValueType.i32(TOKENS), Role.INPUT));
    List<Value> o = show(new Attention(shape, true), x, y, x, segments);
    show(new AttentionGradient(shape, true), x, y, x, o.get(0), o.get(1), b.add(x, y), segments);
  }
}
