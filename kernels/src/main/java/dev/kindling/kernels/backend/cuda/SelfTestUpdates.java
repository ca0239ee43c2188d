package dev.kindling.kernels.backend.cuda;

import dev.kindling.kernels.backend.cuda.layout.Precision;
import dev.kindling.kernels.graph.Axis;
import dev.kindling.kernels.graph.Channels;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.op.Adafactor;
import dev.kindling.kernels.graph.op.AdamDirection;
import dev.kindling.kernels.graph.op.AdamMini;
import dev.kindling.kernels.graph.op.AdamW;
import dev.kindling.kernels.graph.op.AddLoss;
import dev.kindling.kernels.graph.op.ClipScale;
import dev.kindling.kernels.graph.op.Descend;
import dev.kindling.kernels.graph.op.Embedding;
import dev.kindling.kernels.graph.op.FactoredMoments;
import dev.kindling.kernels.graph.op.FactoredRms;
import dev.kindling.kernels.graph.op.GlobalNorm;
import dev.kindling.kernels.graph.op.Lion;
import dev.kindling.kernels.graph.op.Mezo;
import dev.kindling.kernels.graph.op.Momentum;
import dev.kindling.kernels.graph.op.Normalize;
import dev.kindling.kernels.graph.op.Op;
import dev.kindling.kernels.graph.op.Perturb;
import dev.kindling.kernels.graph.op.Project;
import dev.kindling.kernels.graph.op.ProjectedGradient;
import dev.kindling.kernels.graph.op.QuantizedAdamW;
import dev.kindling.kernels.graph.op.ScaledUpdate;
import dev.kindling.kernels.graph.op.Sgd;
import dev.kindling.kernels.graph.op.Sketch;
import dev.kindling.kernels.graph.op.SketchMoments;
import dev.kindling.kernels.graph.op.Subspace;
import dev.kindling.kernels.graph.op.Upload;
import dev.kindling.kernels.graph.op.WeightedSum;
import java.util.List;
import java.util.Optional;

/** Updates of parameters in the sentences of {@link SelfTestGraph}. */
final class SelfTestUpdates {
  private static final int ROWS = SelfTestGraph.ROWS;
  private static final int WIDTH = SelfTestGraph.WIDTH;

  private final SelfTestGraph test;
  private final GraphBuilder b;

  SelfTestUpdates(SelfTestGraph test) {
    this.test = test;
    b = test.b;
  }

  void speak(Value x, Precision precision) {
    Value scale = updates();
    for (int[] shape : new int[][] {{17, 9}, {9, 17}, {16, 24}}) {
      scaledUpdate(scale, floats(Role.GRADIENT, shape));
      scaledUpdate(scale, fresh(shape));
    }
    zerothOrder(x, scale);
    SelfTestOuter.speak(test);
    for (int[] shape : new int[][] {{17, 9}, {9, 17}}) {
      subspace(scale, floats(Role.GRADIENT, shape));
      subspace(scale, fresh(shape));
    }
    if (precision == Precision.FP32) {
      // Numbers in fp32 are drawn for products alone.
      sketch(2, floats(Role.GRADIENT, 17, 9));
    }
    if (precision == Precision.BF16) {
      roundedUpdate(scale, floats(Role.GRADIENT, ROWS, WIDTH));
      roundedUpdate(scale, fresh(ROWS, WIDTH));
      roundedMezo(scale);
    }
    codedUpdate(scale, floats(Role.GRADIENT, ROWS, 13));
    codedUpdate(scale, fresh(ROWS, WIDTH));
  }

  private Value floats(Role role, int... dims) {
    return test.floats(role, dims);
  }

  private Value fresh(int... dims) {
    return test.fresh(dims);
  }

  private List<Value> show(Op op, Value... inputs) {
    return test.show(op, inputs);
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
    test.show(b.add(narrow, param, gradient, m, v, scale, b.step()).get(0));
    Value other = floats(Role.PARAMETER, 17, 9);
    List<Value> after =
        b.add(quantized(Optional.empty()), quantized(other, gradient, scale, 17 * 9));
    test.show(after.get(0));
    test.show(after.get(3));
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
    Value m = test.words(words);
    Value v = test.words(words);
    int blocks = QuantizedAdamW.scales(elements).shape().dim(1);
    return new Value[] {param, gradient, m, v, floats(Role.STATE, 2, blocks), scale, b.step()};
  }

  private List<Value> sketch(int rank, Value gradient) {
    return show(new Sketch(channels(gradient), rank, 5, 200, Axis.DATA), gradient, b.step());
  }

  private static Channels channels(Value gradient) {
    return Channels.of(gradient.type().shape(), gradient.type().shape());
  }

  /** What the state holds is no whole age, so that a basis is due. */
  private void subspace(Value scale, Value gradient) {
    Channels channels = channels(gradient);
    Op op = new Subspace(channels, 4, 200, 2, 5);
    Value basis = floats(Role.STATE, channels.contracted(), 4);
    List<Value> made = show(op, gradient, basis, floats(Role.STATE, 1), scale);
    Value projected = show(new Project(channels, 4), gradient, made.get(2)).get(0);
    Value m = floats(Role.STATE, channels.own(), 4);
    Value v = floats(Role.STATE, channels.own(), 4);
    show(new AdamDirection(0.9f, 0.95f, 1e-3f), projected, m, v, scale, b.step());
  }

  /** Of rank 1, which asks no library for a product. */
  private void scaledUpdate(Value scale, Value gradient) {
    Channels channels = channels(gradient);
    List<Value> sketched = sketch(1, gradient);
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

  /** What is stored in codes of 8 bits shows itself as the rows of a table. */
  private void codedUpdate(Value scale, Value gradient) {
    Channels channels = channels(gradient);
    Value param = floats(Role.PARAMETER, channels.rows(), channels.columns());
    Value factors = floats(Role.STATE, channels.own());
    Value sums = floats(Role.STATE, SketchMoments.SUMS);
    Op op = new ScaledUpdate(channels, true, 1, false, 0, 0.1f, Optional.of(5L));
    Value updated = b.add(op, param, gradient, factors, sums, scale, b.step()).get(0);
    show(new Embedding(), updated, test.ids());
  }

  /** What is stored in bf16 alone shows itself as the rows of a table. */
  private void roundedUpdate(Value scale, Value gradient) {
    Value param = floats(Role.PARAMETER, ROWS, WIDTH);
    Value m = floats(Role.STATE, ROWS, WIDTH);
    Value v = floats(Role.STATE, ROWS, WIDTH);
    AdamW op = new AdamW(0.9f, 0.95f, 1e-3f, 0.1f, Optional.of(5L));
    List<Value> updated = b.add(op, param, gradient, m, v, scale, b.step());
    show(new Embedding(), updated.get(0), test.ids());
    test.show(updated.get(1));
    test.show(updated.get(2));
    AdamW narrow = new AdamW(0.9f, 0.95f, 1e-3f, 0.1f, Optional.of(5L), Optional.of(7L));
    Value next = floats(Role.PARAMETER, ROWS, WIDTH);
    Value narrowM = floats(Role.NARROW_STATE, ROWS, WIDTH);
    Value narrowV = floats(Role.NARROW_STATE, ROWS, WIDTH);
    List<Value> small = b.add(narrow, next, gradient, narrowM, narrowV, scale, b.step());
    show(new Embedding(), small.get(0), test.ids());
    Value last = floats(Role.PARAMETER, ROWS, WIDTH);
    Value[] inputs = quantized(last, gradient, scale, ROWS * WIDTH);
    show(new Embedding(), b.add(quantized(Optional.of(5L)), inputs).get(0), test.ids());
  }

  private void zerothOrder(Value x, Value scale) {
    Value bound = floats(Role.STATE, 1);
    show(new Perturb(3, 0.5f, 1, true), floats(Role.PARAMETER, 17, 9), bound, b.step());
    show(new Perturb(3, 0.5f, 0, false), floats(Role.PARAMETER, 9), b.step());
    // Read as a master and written as a matrix: what becomes of a bias before a product.
    show(new Perturb(3, 0.5f, 0, false), floats(Role.PARAMETER, 3, 3, 5), b.step());
    show(new AddLoss(0), x, test.ids(), floats(Role.STATE, 2), floats(Role.STATE, 1));
    Value slopes = show(new ProjectedGradient(0.5f, 1, 2), floats(Role.STATE, 12)).get(0);
    Mezo op = new Mezo(3, 1, 0.1f, false, Optional.empty());
    show(op, floats(Role.PARAMETER, 17, 9), slopes, scale, b.step());
    show(new Upload(), floats(Role.PARAMETER, 17, 9));
  }

  private void roundedMezo(Value scale) {
    Value slopes = floats(Role.STATE, 2);
    Mezo op = new Mezo(3, 2, 0.1f, false, Optional.of(5L));
    Value param = floats(Role.PARAMETER, ROWS, WIDTH);
    show(new Perturb(3, 0.5f, 0, false), param, b.step());
    Value updated = b.add(op, param, slopes, scale, b.step()).get(0);
    show(new Embedding(), updated, test.ids());
  }
}
