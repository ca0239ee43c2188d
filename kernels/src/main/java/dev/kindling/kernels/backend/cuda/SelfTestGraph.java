package dev.kindling.kernels.backend.cuda;

import dev.kindling.kernels.backend.cuda.layout.Precision;
import dev.kindling.kernels.graph.AttentionShape;
import dev.kindling.kernels.graph.Axis;
import dev.kindling.kernels.graph.Channels;
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
import dev.kindling.kernels.graph.op.Adafactor;
import dev.kindling.kernels.graph.op.AdamMini;
import dev.kindling.kernels.graph.op.AdamW;
import dev.kindling.kernels.graph.op.AddLoss;
import dev.kindling.kernels.graph.op.Attention;
import dev.kindling.kernels.graph.op.AttentionGradient;
import dev.kindling.kernels.graph.op.BiasGradient;
import dev.kindling.kernels.graph.op.CachedAttention;
import dev.kindling.kernels.graph.op.ClipScale;
import dev.kindling.kernels.graph.op.ConcatColumns;
import dev.kindling.kernels.graph.op.ConcatRows;
import dev.kindling.kernels.graph.op.Copy;
import dev.kindling.kernels.graph.op.CrossEntropy;
import dev.kindling.kernels.graph.op.CrossEntropyWithGradient;
import dev.kindling.kernels.graph.op.Descend;
import dev.kindling.kernels.graph.op.Dropout;
import dev.kindling.kernels.graph.op.Embedding;
import dev.kindling.kernels.graph.op.EmbeddingGradient;
import dev.kindling.kernels.graph.op.FactoredMoments;
import dev.kindling.kernels.graph.op.FactoredRms;
import dev.kindling.kernels.graph.op.Fill;
import dev.kindling.kernels.graph.op.GatherColumns;
import dev.kindling.kernels.graph.op.Gelu;
import dev.kindling.kernels.graph.op.GeluGradient;
import dev.kindling.kernels.graph.op.GlobalNorm;
import dev.kindling.kernels.graph.op.LayerNorm;
import dev.kindling.kernels.graph.op.LayerNormGradient;
import dev.kindling.kernels.graph.op.Lion;
import dev.kindling.kernels.graph.op.Magnitude;
import dev.kindling.kernels.graph.op.MagnitudeGradient;
import dev.kindling.kernels.graph.op.Mezo;
import dev.kindling.kernels.graph.op.Momentum;
import dev.kindling.kernels.graph.op.Normalize;
import dev.kindling.kernels.graph.op.Op;
import dev.kindling.kernels.graph.op.Perturb;
import dev.kindling.kernels.graph.op.ProjectedGradient;
import dev.kindling.kernels.graph.op.QuantizedAdamW;
import dev.kindling.kernels.graph.op.RandomNormal;
import dev.kindling.kernels.graph.op.RmsNorm;
import dev.kindling.kernels.graph.op.RmsNormGradient;
import dev.kindling.kernels.graph.op.Rope;
import dev.kindling.kernels.graph.op.RowNorms;
import dev.kindling.kernels.graph.op.Scale;
import dev.kindling.kernels.graph.op.ScaledUpdate;
import dev.kindling.kernels.graph.op.ScatterColumns;
import dev.kindling.kernels.graph.op.Sgd;
import dev.kindling.kernels.graph.op.Sketch;
import dev.kindling.kernels.graph.op.SketchMoments;
import dev.kindling.kernels.graph.op.SliceRows;
import dev.kindling.kernels.graph.op.SplitColumns;
import dev.kindling.kernels.graph.op.SwiGlu;
import dev.kindling.kernels.graph.op.SwiGluGradient;
import dev.kindling.kernels.graph.op.Upload;
import dev.kindling.kernels.graph.op.WeightLayout;
import dev.kindling.kernels.graph.op.WeightedSum;
import dev.kindling.kernels.graph.op.WriteRows;
import java.util.List;
import java.util.Optional;

/**
 * Sentences in which every kernel of ours speaks once, over a few tokens; products are the
 * library's and stay out. All variables hold small numbers that bf16 holds too.
 */
final class SelfTestGraph {
  static final int TOKENS = 24;
  private static final int SEQUENCE = 12;
  private static final int WIDTH = 128;
  private static final int ROWS = 40;
  private static final float EPS = 1e-5f;

  private final GraphBuilder b = new GraphBuilder();
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
    Value scale = test.updates();
    for (int[] shape : new int[][] {{17, 9}, {9, 17}, {16, 24}}) {
      test.scaledUpdate(scale, test.floats(Role.GRADIENT, shape));
      test.scaledUpdate(scale, test.fresh(shape));
    }
    test.zerothOrder(x, scale);
    test.adapters(x, y);
    if (precision == Precision.BF16) {
      test.roundedUpdate(scale, test.floats(Role.GRADIENT, ROWS, WIDTH));
      test.roundedUpdate(scale, test.fresh(ROWS, WIDTH));
      test.roundedMezo(scale);
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

  private Value ids() {
    return b.variable(new Variable("ids", ValueType.i32(TOKENS), Role.INPUT));
  }

  private Value floats(Role role, int... dims) {
    return b.variable(new Variable("v" + variables++, ValueType.f32(dims), role));
  }

  /** A gradient in the precision of the device. */
  private Value fresh(int... dims) {
    return floats(Role.FRESH_GRADIENT, dims);
  }

  /** A parameter that nothing updates: in bf16 alone where the device has that. */
  private Value frozen(int... dims) {
    Shape shape = Shape.of(dims);
    return b.param(new Param("v" + variables++, shape, Demand.none(), Init.zeros(), false));
  }

  /** Appends the operation and shows all its outputs. */
  private List<Value> show(Op op, Value... inputs) {
    List<Value> values = b.add(op, inputs);
    values.forEach(value -> b.output("out" + outputs++, value));
    return values;
  }

  private void elements(Value x, Value y) {
    b.output("out" + outputs++, b.add(x, y));
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

  private Value updates() {
    Value gradient = floats(Role.GRADIENT, 17, 9);
    Value count = floats(Role.STATE, 1);
    Value fresh = fresh(17, 9);
    Value norm = show(new GlobalNorm(), gradient, fresh, count).get(0);
    Value scale = show(new ClipScale(), norm, count, b.step()).get(0);
    for (Value each : List.of(gradient, fresh)) {
      Value param = floats(Role.PARAMETER, 17, 9);
      Value m = floats(Role.STATE, 17, 9);
      Value v = floats(Role.STATE, 17, 9);
      show(new AdamW(0.9f, 0.95f, 1e-3f, 0.1f), param, each, m, v, scale, b.step());
    }
    for (Value each : List.of(gradient, fresh)) {
      Value other = floats(Role.PARAMETER, 17, 9);
      Value buffer = floats(Role.STATE, 17, 9);
      show(new Sgd(0.9f, 0.1f, true), other, each, buffer, scale, b.step());
    }
    for (Value each : List.of(gradient, fresh)) {
      narrowUpdates(scale, each);
    }
    return scale;
  }

  /** Updates with little state; codes of 8 bits do not show themselves as numbers. */
  private void narrowUpdates(Value scale, Value gradient) {
    Value lion = floats(Role.PARAMETER, 17, 9);
    show(new Lion(0.9f, 0.99f, 0.1f), lion, gradient, floats(Role.STATE, 17, 9), scale, b.step());
    AdamW narrow = new AdamW(0.9f, 0.95f, 1e-3f, 0.1f, Optional.empty(), Optional.of(5L));
    Value m = floats(Role.NARROW_STATE, 17, 9);
    Value v = floats(Role.NARROW_STATE, 17, 9);
    Value param = floats(Role.PARAMETER, 17, 9);
    b.output("out" + outputs++, b.add(narrow, param, gradient, m, v, scale, b.step()).get(0));
    Value other = floats(Role.PARAMETER, 17, 9);
    List<Value> after =
        b.add(quantized(Optional.empty()), quantized(other, gradient, scale, 17 * 9));
    b.output("out" + outputs++, after.get(0));
    b.output("out" + outputs++, after.get(3));
    directions(scale, gradient);
    factored(scale, gradient);
  }

  private void directions(Value scale, Value gradient) {
    Value buffer = floats(Role.STATE, 17, 9);
    Value direction = show(new Momentum(0.95f, true), gradient, buffer, scale).get(0);
    Value norm = show(new GlobalNorm(false), direction).get(0);
    Value unit = show(new Normalize(1e-7f), direction, norm).get(0);
    Value sum = show(new WeightedSum(3, -0.5f), unit, direction).get(0);
    show(new Descend(0.2f, 0.1f), floats(Role.PARAMETER, 17, 9), sum, scale, b.step());
  }

  private void factored(Value scale, Value gradient) {
    Value rows = floats(Role.STATE, 17);
    Value columns = floats(Role.STATE, 9);
    List<Value> moments =
        show(new FactoredMoments(1e-30f), gradient, rows, columns, scale, b.step());
    Value r = moments.get(0);
    Value c = moments.get(1);
    Value mean = moments.get(2);
    Value rms = show(new FactoredRms(), gradient, r, c, mean, scale).get(0);
    Value param = floats(Role.PARAMETER, 17, 9);
    Op update = new Adafactor(1, 0.1f, false, 0);
    show(update, param, gradient, r, c, mean, rms, scale, b.step());
    Value[] mini = {
      floats(Role.PARAMETER, 17, 9),
      gradient,
      floats(Role.STATE, 17, 9),
      floats(Role.STATE, 17),
      scale,
      b.step()
    };
    show(new AdamMini(0.9f, 0.95f, 1e-3f, 0.1f, 9), mini);
  }

  private static QuantizedAdamW quantized(Optional<Long> key) {
    return new QuantizedAdamW(0.9f, 0.95f, 1e-3f, 0.1f, key);
  }

  private Value[] quantized(Value param, Value gradient, Value scale, int elements) {
    ValueType words = QuantizedAdamW.words(elements);
    Value m = b.variable(new Variable("v" + variables++, words, Role.STATE));
    Value v = b.variable(new Variable("v" + variables++, words, Role.STATE));
    int blocks = QuantizedAdamW.scales(elements).shape().dim(1);
    return new Value[] {param, gradient, m, v, floats(Role.STATE, 2, blocks), scale, b.step()};
  }

  /** Of rank 1, which asks no library for a product. */
  private void scaledUpdate(Value scale, Value gradient) {
    Channels channels = Channels.of(gradient.type().shape(), gradient.type().shape());
    Op sketch = new Sketch(channels, 1, 5, 200, Axis.DATA);
    List<Value> sketched = show(sketch, gradient, b.step());
    Value m = floats(Role.STATE, channels.own(), 1);
    Value v = floats(Role.STATE, channels.own(), 1);
    List<Value> moments =
        show(
            new SketchMoments(0.9f, 0.95f, 1e-3f, true, 1),
            sketched.get(0),
            sketched.get(1),
            m,
            v,
            scale);
    Value param = floats(Role.PARAMETER, gradient.type().shape().dim(0), channels.columns());
    show(
        new ScaledUpdate(channels, true, 1, false, 1.01f, 0.1f),
        param,
        gradient,
        moments.get(2),
        moments.get(3),
        floats(Role.STATE, 1),
        scale,
        b.step());
  }

  /** What is stored in bf16 alone shows itself as the rows of a table. */
  private void roundedUpdate(Value scale, Value gradient) {
    Value param = floats(Role.PARAMETER, ROWS, WIDTH);
    Value m = floats(Role.STATE, ROWS, WIDTH);
    Value v = floats(Role.STATE, ROWS, WIDTH);
    AdamW op = new AdamW(0.9f, 0.95f, 1e-3f, 0.1f, Optional.of(5L));
    List<Value> updated = b.add(op, param, gradient, m, v, scale, b.step());
    show(new Embedding(), updated.get(0), ids());
    b.output("out" + outputs++, updated.get(1));
    b.output("out" + outputs++, updated.get(2));
    AdamW narrow = new AdamW(0.9f, 0.95f, 1e-3f, 0.1f, Optional.of(5L), Optional.of(7L));
    Value next = floats(Role.PARAMETER, ROWS, WIDTH);
    Value narrowM = floats(Role.NARROW_STATE, ROWS, WIDTH);
    Value narrowV = floats(Role.NARROW_STATE, ROWS, WIDTH);
    List<Value> small = b.add(narrow, next, gradient, narrowM, narrowV, scale, b.step());
    show(new Embedding(), small.get(0), ids());
    Value last = floats(Role.PARAMETER, ROWS, WIDTH);
    Value[] inputs = quantized(last, gradient, scale, ROWS * WIDTH);
    show(new Embedding(), b.add(quantized(Optional.of(5L)), inputs).get(0), ids());
  }

  private void zerothOrder(Value x, Value scale) {
    Value bound = floats(Role.STATE, 1);
    show(new Perturb(3, 0.5f, 1, true), floats(Role.PARAMETER, 17, 9), bound, b.step());
    show(new Upload(), floats(Role.PARAMETER, 17, 9));
    show(new Perturb(3, 0.5f, 0, false), floats(Role.PARAMETER, 9), b.step());
    show(new AddLoss(0), x, ids(), floats(Role.STATE, 2), floats(Role.STATE, 1));
    Value slopes = show(new ProjectedGradient(0.5f, 1, 2), floats(Role.STATE, 12)).get(0);
    Mezo op = new Mezo(3, 1, 0.1f, false, Optional.empty());
    show(op, floats(Role.PARAMETER, 17, 9), slopes, scale, b.step());
  }

  private void adapters(Value x, Value y) {
    show(new Scale(-1.5f), x);
    Value place = b.variable(new Variable("place", ValueType.i32(2), Role.INPUT));
    show(new Dropout(0.25f, 42), x, place);
    WeightLayout layout = WeightLayout.OUT_IN;
    Value weight = floats(Role.PARAMETER, WIDTH, 17);
    Value down = floats(Role.PARAMETER, 3, 17);
    Value norms =
        show(new RowNorms(layout, 0.5f), weight, down, floats(Role.PARAMETER, WIDTH, 3)).get(0);
    Value length = floats(Role.PARAMETER, WIDTH);
    show(new Magnitude(true), x, length, norms, floats(Role.PARAMETER, WIDTH));
    show(new MagnitudeGradient(), x, y, length, norms);
    Value base = floats(Role.PARAMETER, ROWS, 2);
    Value delta = floats(Role.PARAMETER, ROWS, 2);
    Op scatter = new ScatterColumns(layout, new Columns(List.of(WIDTH - 1, 0)), 0.5f);
    Value written = b.add(scatter, base, delta, frozen(ROWS, WIDTH)).get(0);
    show(new Embedding(), written, ids());
  }

  private void roundedMezo(Value scale) {
    Value slopes = floats(Role.STATE, 2);
    Mezo op = new Mezo(3, 2, 0.1f, false, Optional.of(5L));
    Value updated = b.add(op, floats(Role.PARAMETER, ROWS, WIDTH), slopes, scale, b.step()).get(0);
    show(new Embedding(), updated, ids());
  }

  private void attention(Value x, Value y, int headDim) {
    int heads = x.type().shape().dim(1) / headDim;
    AttentionShape shape = new AttentionShape(heads, heads, headDim, SEQUENCE);
    Value segments = b.variable(new Variable("segments", ValueType.i32(TOKENS), Role.INPUT));
    List<Value> o = show(new Attention(shape, true), x, y, x, segments);
    show(new AttentionGradient(shape, true), x, y, x, o.get(0), o.get(1), b.add(x, y), segments);
  }
}
