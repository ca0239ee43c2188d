package dev.kindling.kernels.cases;

import dev.kindling.kernels.graph.AttentionShape;
import dev.kindling.kernels.graph.Columns;
import dev.kindling.kernels.graph.RopeFrequencies;
import dev.kindling.kernels.graph.RopeScaling;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.StepScalar;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.op.Accumulate;
import dev.kindling.kernels.graph.op.Accumulation;
import dev.kindling.kernels.graph.op.AdamW;
import dev.kindling.kernels.graph.op.Add;
import dev.kindling.kernels.graph.op.Attention;
import dev.kindling.kernels.graph.op.BiasGradient;
import dev.kindling.kernels.graph.op.ClipScale;
import dev.kindling.kernels.graph.op.ConcatColumns;
import dev.kindling.kernels.graph.op.ConcatRows;
import dev.kindling.kernels.graph.op.Copy;
import dev.kindling.kernels.graph.op.CrossEntropy;
import dev.kindling.kernels.graph.op.CrossEntropyWithGradient;
import dev.kindling.kernels.graph.op.Embedding;
import dev.kindling.kernels.graph.op.EmbeddingGradient;
import dev.kindling.kernels.graph.op.Fill;
import dev.kindling.kernels.graph.op.GatherColumns;
import dev.kindling.kernels.graph.op.Gelu;
import dev.kindling.kernels.graph.op.GeluGradient;
import dev.kindling.kernels.graph.op.GlobalNorm;
import dev.kindling.kernels.graph.op.LayerNorm;
import dev.kindling.kernels.graph.op.LayerNormGradient;
import dev.kindling.kernels.graph.op.Linear;
import dev.kindling.kernels.graph.op.LinearInputGradient;
import dev.kindling.kernels.graph.op.LinearWeightGradient;
import dev.kindling.kernels.graph.op.Op;
import dev.kindling.kernels.graph.op.RandomNormal;
import dev.kindling.kernels.graph.op.ResidualLayerNorm;
import dev.kindling.kernels.graph.op.ResidualRmsNorm;
import dev.kindling.kernels.graph.op.RmsNorm;
import dev.kindling.kernels.graph.op.RmsNormGradient;
import dev.kindling.kernels.graph.op.Rope;
import dev.kindling.kernels.graph.op.Sgd;
import dev.kindling.kernels.graph.op.SliceRows;
import dev.kindling.kernels.graph.op.SplitColumns;
import dev.kindling.kernels.graph.op.SwiGlu;
import dev.kindling.kernels.graph.op.SwiGluGradient;
import dev.kindling.kernels.graph.op.WeightLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * The case table. {@link #all} has odd, even, tiny and extreme inputs for tests; {@link #large} has
 * the same lines, without those that are about edges, in one shape of a small model for speed.
 */
public final class OpCases {
  static final OpCase.Draw NORMAL = (random, i) -> gaussian(random);
  static final OpCase.Draw POSITIVE = (random, i) -> random.nextDouble(0.1, 2);
  private static final OpCase.Draw EXTREME = (random, i) -> random.nextBoolean() ? 100 : -100;
  private static final OpCase.Draw SAME = (random, i) -> 0.5;
  private static final OpCase.Draw RAMP = (random, i) -> i;
  private static final OpCase.Input STEPS = f32((random, i) -> 7 + i, StepScalar.values().length);
  private static final int[][] LOGITS = {{1, 1}, {1, 2}, {7, 13}, {13, 207}, {3, 8003}};
  private static final List<RopeScaling> STRETCHES =
      List.of(new RopeScaling.Linear(4), new RopeScaling.Llama3(8, 1, 4, 64));
  private static final int[][] MATRICES = {{1, 1}, {7, 13}, {13, 207}, {64, 48}};

  private final List<OpCase> cases = new ArrayList<>();
  private final boolean large;
  private final int[][] matrices;

  private OpCases(boolean large) {
    this.large = large;
    matrices = shapes(MATRICES, 1024, 512);
  }

  /** All cases. */
  public static List<OpCase> all() {
    return new OpCases(false).table();
  }

  /** The shape each operation has in a model of about 50 million parameters, 1024 tokens. */
  public static List<OpCase> large() {
    return new OpCases(true).table();
  }

  private List<OpCase> table() {
    elements();
    if (!large) {
      edges();
    }
    columns();
    rows();
    linear();
    tables();
    norms();
    if (!large) {
      headNorms();
    }
    AttentionCases.add(this, large);
    losses();
    updates();
    AdapterCases.add(this, large);
    UpdateCases.add(this, matrices);
    OuterCases.add(this, matrices);
    SketchCases.add(this, large);
    SubspaceCases.add(this, large);
    CacheCases.add(this, large);
    ZerothOrderCases.add(this, large);
    CollectiveCases.add(this, large);
    return List.copyOf(cases);
  }

  private int[][] shapes(int[][] small, int... big) {
    return large ? new int[][] {big} : small;
  }

  private static double gaussian(java.util.SplittableRandom random) {
    double radius = Math.sqrt(-2 * Math.log(1 - random.nextDouble()));
    return radius * Math.cos(2 * Math.PI * random.nextDouble());
  }

  static OpCase.Input f32(OpCase.Draw draw, int... dims) {
    return new OpCase.Input(ValueType.f32(dims), draw);
  }

  static OpCase.Input i32(OpCase.Draw draw, int count) {
    return new OpCase.Input(ValueType.i32(count), draw);
  }

  static OpCase.Input ids(int bound, int count) {
    return i32((random, i) -> random.nextInt(bound), count);
  }

  private void add(String name, Op op, int reduction, OpCase.Input... inputs) {
    together(name, 1, op, reduction, inputs);
  }

  void together(String name, int ranks, Op op, int reduction, OpCase.Input... inputs) {
    String full = op.getClass().getSimpleName() + " " + name + " #" + cases.size();
    cases.add(new OpCase(full, op, List.of(inputs), Math.max(1, reduction), ranks));
  }

  private void elements() {
    for (int[] d : matrices) {
      OpCase.Input x = f32(NORMAL, d);
      for (Op op :
          List.of(new Add(), new Accumulate(), new SwiGlu(), new GeluGradient(), new Copy())) {
        add("normal", op, 1, x, x);
      }
      add("normal", new SwiGluGradient(), 1, x, x, x);
      add("normal", new Gelu(), 1, x);
      add("constant", new Fill(0), 1, x, x);
      add("constant", new Fill(1.5f), 1, x, f32(NORMAL, 3));
      add("step", new RandomNormal(Shape.of(d), 42), 1, STEPS);
    }
  }

  private void edges() {
    add("one number", new RandomNormal(Shape.of(1), -1L), 1, STEPS);
    add("extreme", new SwiGlu(), 1, f32(EXTREME, 5, 3), f32(NORMAL, 5, 3));
    add("extreme", new Gelu(), 1, f32(EXTREME, 5, 3));
    add("extreme", new GeluGradient(), 1, f32(EXTREME, 5, 3), f32(NORMAL, 5, 3));
    add("one", new SplitColumns(List.of(1)), 1, f32(NORMAL, 1, 1));
    add("equal elements", new RmsNorm(1e-5f), 13, f32(SAME, 3, 13), f32(SAME, 13));
    AttentionShape small = new AttentionShape(1, 1, 2, 5);
    OpCase.Input loud = f32((random, i) -> 10 * gaussian(random), 5, 2);
    add("far apart scores", new Attention(small, false), 400, loud, loud, f32(NORMAL, 5, 2));
    OpCase.Input none = i32((random, i) -> CrossEntropy.IGNORED, 3);
    add("all ignored", new CrossEntropyWithGradient(true), 1, f32(NORMAL, 3, 5), none);
    for (int[] d : LOGITS) {
      OpCase.Input targets = targets(d);
      add("extreme", new CrossEntropyWithGradient(true), d[1], f32(EXTREME, d), targets);
      add("uniform", new CrossEntropyWithGradient(true), d[1], f32(SAME, d), targets);
    }
  }

  private void columns() {
    for (int[] d : shapes(new int[][] {{7, 3, 1, 9}}, 1024, 512, 128, 128)) {
      int width = d[1] + d[2] + d[3];
      OpCase.Input joint = f32(NORMAL, d[0], width);
      add("three", new SplitColumns(List.of(d[1], d[2], d[3])), 1, joint);
      add(
          "three",
          new ConcatColumns(),
          1,
          f32(NORMAL, d[0], d[1]),
          f32(NORMAL, d[0], d[2]),
          f32(NORMAL, d[0], d[3]));
      add("some", new GatherColumns(new Columns(List.of(width - 1, 0, 5))), 1, joint);
    }
  }

  private void rows() {
    for (int[] d : shapes(new int[][] {{5, 1, 3, 7}}, 4096, 1024, 3072, 768)) {
      int count = d[0] + d[1] + d[2];
      OpCase.Input whole = f32(NORMAL, count, d[3]);
      OpCase.Input[] pieces = new OpCase.Input[3];
      Arrays.setAll(pieces, i -> f32(NORMAL, d[i], d[3]));
      add("three", new ConcatRows(), 1, pieces);
      add("middle", new SliceRows(d[0], d[1]), 1, whole);
      add("numbers", new SliceRows(d[0], d[1]), 1, ids(9, count));
    }
  }

  private void linear() {
    int[][] shapes =
        shapes(new int[][] {{1, 1, 1}, {7, 13, 5}, {13, 207, 33}, {65, 48, 96}}, 1024, 512, 1376);
    for (WeightLayout layout : WeightLayout.values()) {
      for (int[] s : shapes) {
        int tokens = s[0];
        int ins = s[1];
        int outs = s[2];
        OpCase.Input x = f32(NORMAL, tokens, ins);
        OpCase.Input dy = f32(NORMAL, tokens, outs);
        boolean outIn = layout == WeightLayout.OUT_IN;
        OpCase.Input w = outIn ? f32(NORMAL, outs, ins) : f32(NORMAL, ins, outs);
        add(layout + "", new Linear(layout, false), ins, x, w);
        add(layout + " bias", new Linear(layout, true), ins, x, w, f32(NORMAL, outs));
        add(layout + "", new LinearInputGradient(layout, false), outs, dy, w);
        add(layout + " adds", new LinearInputGradient(layout, true), outs, dy, w, x);
        add(layout + "", new LinearWeightGradient(layout, false), tokens, x, dy);
        add(layout + " adds", new LinearWeightGradient(layout, true), tokens, x, dy, w);
        add(layout + " over", new LinearWeightGradient(layout, false, true), tokens, x, dy, w);
      }
    }
    for (int[] d : matrices) {
      add("", new BiasGradient(false), d[0], f32(NORMAL, d));
      add("adds", new BiasGradient(true), d[0], f32(NORMAL, d), f32(NORMAL, d[1]));
      add("over", new BiasGradient(false, true), d[0], f32(NORMAL, d), f32(NORMAL, d[1]));
    }
  }

  private void tables() {
    int rows = large ? 8192 : 11;
    for (int[] d : matrices) {
      OpCase.Input table = f32(NORMAL, rows, d[1]);
      OpCase.Input dy = f32(NORMAL, d);
      add("random", new Embedding(), 1, table, ids(rows, d[0]));
      add("random", new EmbeddingGradient(rows, false), d[0], dy, ids(rows, d[0]));
      add("adds", new EmbeddingGradient(rows, true), d[0], dy, ids(rows, d[0]), table);
      add("over", new EmbeddingGradient(rows, false, true), d[0], dy, ids(rows, d[0]), table);
      OpCase.Input hot = i32((random, i) -> 3, d[0]);
      add("one hot token", new EmbeddingGradient(rows, true), d[0], dy, hot, table);
    }
    for (boolean inverse : new boolean[] {false, true}) {
      for (int[] s : shapes(new int[][] {{1, 2, 2}, {70, 128, 64}}, 1024, 512, 64)) {
        OpCase.Input x = f32(NORMAL, s[0], s[1]);
        add("head " + s[2], new Rope(s[2], 500000, inverse), 2, x, i32(RAMP, s[0]));
      }
      if (!large) {
        add("heads", new Rope(6, 10000, inverse), 2, f32(NORMAL, 13, 18), ids(13, 13));
        for (RopeScaling scaling : STRETCHES) {
          RopeFrequencies frequencies = new RopeFrequencies(500, Optional.of(scaling));
          Op rope = new Rope(16, frequencies, inverse);
          add(scaling + "", rope, 2, f32(NORMAL, 70, 32), i32(RAMP, 70));
        }
      }
    }
  }

  private void norms() {
    for (int[] d : shapes(new int[][] {{1, 2}, {7, 13}, {13, 207}, {64, 48}}, 1024, 512)) {
      int n = 4 * Math.max(d[0], d[1]);
      OpCase.Input x = f32(NORMAL, d);
      OpCase.Input g = f32(POSITIVE, d[1]);
      OpCase.Input b = f32(NORMAL, d[1]);
      OpCase.Input r = f32(POSITIVE, d[0]);
      OpCase.Input moments = f32(POSITIVE, d[0], 2);
      add("", new RmsNorm(1e-5f), n, x, g);
      add("", new LayerNorm(1e-5f), n, x, g, b);
      add("", new ResidualRmsNorm(1e-5f), n, x, x, g);
      add("", new ResidualLayerNorm(1e-5f), n, x, x, g, b);
      add("frozen gain", new RmsNormGradient(false, Accumulation.NONE), n, x, g, r, x);
      add("fresh", new RmsNormGradient(true, Accumulation.FRESH), n, x, g, r, x, x);
      add("adds", new RmsNormGradient(true, Accumulation.INTO_VARIABLE), n, x, g, r, x, x, b);
      add("over", new RmsNormGradient(true, Accumulation.OVER_VARIABLE), n, x, g, r, x, x, b);
      for (Accumulation gain : Accumulation.values()) {
        for (Accumulation bias : Accumulation.values()) {
          layerGradient(gain, bias, n, List.of(x, g, moments, x, x), b);
        }
      }
      add(
          "plain",
          new LayerNormGradient(false, Accumulation.NONE, Accumulation.NONE),
          n,
          x,
          g,
          moments,
          x);
    }
  }

  private void headNorms() {
    for (int[] d : new int[][] {{1, 2, 2}, {7, 13, 3}, {33, 64, 4}}) {
      int n = 4 * Math.max(d[0] * d[2], d[1]);
      OpCase.Input x = f32(NORMAL, d[0], d[1] * d[2]);
      OpCase.Input g = f32(POSITIVE, d[1]);
      OpCase.Input r = f32(POSITIVE, d[0] * d[2]);
      String heads = d[2] + " heads";
      add(heads, new RmsNorm(1e-5f), n, x, g);
      add(heads, new RmsNormGradient(false, Accumulation.NONE), n, x, g, r, x);
      add(heads, new RmsNormGradient(true, Accumulation.FRESH), n, x, g, r, x, x);
      add(heads, new RmsNormGradient(false, Accumulation.INTO_VARIABLE), n, x, g, r, x, g);
      add(heads, new RmsNormGradient(true, Accumulation.OVER_VARIABLE), n, x, g, r, x, x, g);
    }
  }

  private void layerGradient(
      Accumulation gain,
      Accumulation bias,
      int reduction,
      List<OpCase.Input> fixed,
      OpCase.Input accumulator) {
    List<OpCase.Input> inputs = new ArrayList<>(fixed);
    for (Accumulation mode : List.of(gain, bias)) {
      if (mode.isInPlace()) {
        inputs.add(accumulator);
      }
    }
    Op op = new LayerNormGradient(true, gain, bias);
    add(gain + " " + bias, op, reduction, inputs.toArray(OpCase.Input[]::new));
  }

  private static OpCase.Input targets(int[] logits) {
    return i32(
        (random, i) -> i % 4 == 3 ? CrossEntropy.IGNORED : random.nextInt(logits[1]), logits[0]);
  }

  private void losses() {
    for (int[] d : shapes(LOGITS, 1024, 8192)) {
      OpCase.Input targets = targets(d);
      add("", new CrossEntropy(), d[1], f32(NORMAL, d), targets);
      add("copy", new CrossEntropyWithGradient(false), d[1], f32(NORMAL, d), targets);
      add("in place", new CrossEntropyWithGradient(true), d[1], f32(NORMAL, d), targets);
    }
  }

  private void updates() {
    OpCase.Input count = f32((random, i) -> 37, 1);
    OpCase.Input norm = f32((random, i) -> 2.5, 1);
    OpCase.Input step = f32((random, i) -> new double[] {1e-2, 0.19, 0.05, 0.7, 3}[i], 5);
    OpCase.Input noClip = f32((random, i) -> 0, 5);
    OpCase.Input broken = f32((random, i) -> Double.NaN, 1);
    add("", new GlobalNorm(), 1000, f32(NORMAL, 13, 207), f32(NORMAL, 3), f32(NORMAL, 7), count);
    add("no mean", new GlobalNorm(false), 1000, f32(NORMAL, 13, 207), f32(NORMAL, 3));
    int many = large ? 1 << 20 : 70_001;
    add("long", new GlobalNorm(), 1000, f32(NORMAL, many), f32(NORMAL, 1), count);
    add("clips", new ClipScale(), 1, norm, count, step);
    add("off", new ClipScale(), 1, norm, count, noClip);
    add("broken norm", new ClipScale(), 1, broken, count, step);
    add("broken loss", new ClipScale(), 1, norm, count, step, broken);
    for (int[] d : matrices) {
      OpCase.Input x = f32(NORMAL, d);
      OpCase.Input v = f32(POSITIVE, d);
      OpCase.Input scale = f32(POSITIVE, 1);
      OpCase.Input zero = f32((random, i) -> 0, 1);
      add("", new AdamW(0.9f, 0.95f, 1e-8f, 0.1f), 4, x, x, x, v, scale, step);
      add("skips", new AdamW(0.9f, 0.95f, 1e-8f, 0.1f), 1, x, x, x, v, zero, step);
      add("plain", new Sgd(0, 0.1f, false), 4, x, x, scale, step);
      add("momentum", new Sgd(0.9f, 0.1f, false), 4, x, x, x, scale, step);
      add("nesterov", new Sgd(0.9f, 0, true), 4, x, x, x, scale, step);
      add("skips", new Sgd(0.9f, 0.1f, true), 1, x, x, x, zero, step);
    }
  }
}
