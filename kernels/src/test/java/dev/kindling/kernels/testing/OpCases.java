package dev.kindling.kernels.testing;

import dev.kindling.kernels.graph.AttentionShape;
import dev.kindling.kernels.graph.Axis;
import dev.kindling.kernels.graph.Columns;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.StepScalar;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.op.Accumulate;
import dev.kindling.kernels.graph.op.Accumulation;
import dev.kindling.kernels.graph.op.AdamW;
import dev.kindling.kernels.graph.op.Add;
import dev.kindling.kernels.graph.op.AllReduce;
import dev.kindling.kernels.graph.op.Attention;
import dev.kindling.kernels.graph.op.AttentionGradient;
import dev.kindling.kernels.graph.op.BiasGradient;
import dev.kindling.kernels.graph.op.ClipScale;
import dev.kindling.kernels.graph.op.ConcatColumns;
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
import dev.kindling.kernels.graph.op.SplitColumns;
import dev.kindling.kernels.graph.op.SwiGlu;
import dev.kindling.kernels.graph.op.SwiGluGradient;
import dev.kindling.kernels.graph.op.WeightLayout;
import java.util.ArrayList;
import java.util.List;

/** The case table: feeds kernels against oracle, finite differences, and benchmarks. */
public final class OpCases {
  private static final OpCase.Draw NORMAL = (random, i) -> gaussian(random);
  private static final OpCase.Draw POSITIVE = (random, i) -> random.nextDouble(0.1, 2);
  private static final OpCase.Draw EXTREME = (random, i) -> random.nextBoolean() ? 100 : -100;
  private static final OpCase.Draw SAME = (random, i) -> 0.5;
  private static final OpCase.Draw RAMP = (random, i) -> i;
  private static final int[][] MATRICES = {{1, 1}, {7, 13}, {13, 207}, {64, 48}};

  private final List<OpCase> cases = new ArrayList<>();

  private OpCases() {}

  /** All cases. */
  public static List<OpCase> all() {
    OpCases table = new OpCases();
    table.elements();
    table.linear();
    table.tables();
    table.norms();
    table.attention();
    table.losses();
    table.updates();
    return List.copyOf(table.cases);
  }

  private static double gaussian(java.util.SplittableRandom random) {
    double radius = Math.sqrt(-2 * Math.log(1 - random.nextDouble()));
    return radius * Math.cos(2 * Math.PI * random.nextDouble());
  }

  private static OpCase.Input f32(OpCase.Draw draw, int... dims) {
    return new OpCase.Input(ValueType.f32(dims), draw);
  }

  private static OpCase.Input i32(OpCase.Draw draw, int count) {
    return new OpCase.Input(ValueType.i32(count), draw);
  }

  private static OpCase.Input ids(int bound, int count) {
    return i32((random, i) -> random.nextInt(bound), count);
  }

  private void add(String name, Op op, int reduction, OpCase.Input... inputs) {
    String full = op.getClass().getSimpleName() + " " + name + " #" + cases.size();
    cases.add(new OpCase(full, op, List.of(inputs), Math.max(1, reduction)));
  }

  private void elements() {
    for (int[] d : MATRICES) {
      OpCase.Input x = f32(NORMAL, d);
      for (Op op :
          List.of(new Add(), new Accumulate(), new SwiGlu(), new GeluGradient(), new Copy())) {
        add("normal", op, 1, x, x);
      }
      add("normal", new SwiGluGradient(), 1, x, x, x);
      add("normal", new Gelu(), 1, x);
      add("constant", new Fill(0), 1, x, x);
      add("constant", new Fill(1.5f), 1, x, f32(NORMAL, 3));
      add("two ranks", new AllReduce(Axis.DATA), 1, x, f32(NORMAL, 3), x);
    }
    OpCase.Input step = f32((random, i) -> 7 + i, StepScalar.values().length);
    add("step", new RandomNormal(Shape.of(7, 13), 42), 1, step);
    add("one number", new RandomNormal(Shape.of(1), -1L), 1, step);
    add("extreme", new SwiGlu(), 1, f32(EXTREME, 5, 3), f32(NORMAL, 5, 3));
    add("extreme", new Gelu(), 1, f32(EXTREME, 5, 3));
    add("extreme", new GeluGradient(), 1, f32(EXTREME, 5, 3), f32(NORMAL, 5, 3));
    add("three", new SplitColumns(List.of(3, 1, 9)), 1, f32(NORMAL, 7, 13));
    add("one", new SplitColumns(List.of(1)), 1, f32(NORMAL, 1, 1));
    add("three", new ConcatColumns(), 1, f32(NORMAL, 7, 3), f32(NORMAL, 7, 1), f32(NORMAL, 7, 9));
    add("some", new GatherColumns(new Columns(List.of(12, 0, 5))), 1, f32(NORMAL, 7, 13));
  }

  private void linear() {
    int[][] shapes = {{1, 1, 1}, {7, 13, 5}, {13, 207, 33}, {65, 48, 96}};
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
      }
    }
    for (int[] d : MATRICES) {
      add("", new BiasGradient(false), d[0], f32(NORMAL, d));
      add("adds", new BiasGradient(true), d[0], f32(NORMAL, d), f32(NORMAL, d[1]));
    }
  }

  private void tables() {
    int rows = 11;
    for (int[] d : MATRICES) {
      OpCase.Input table = f32(NORMAL, rows, d[1]);
      OpCase.Input dy = f32(NORMAL, d);
      add("random", new Embedding(), 1, table, ids(rows, d[0]));
      add("random", new EmbeddingGradient(rows, false), d[0], dy, ids(rows, d[0]));
      add("adds", new EmbeddingGradient(rows, true), d[0], dy, ids(rows, d[0]), table);
      OpCase.Input hot = i32((random, i) -> 3, d[0]);
      add("one hot token", new EmbeddingGradient(rows, true), d[0], dy, hot, table);
    }
    for (boolean inverse : new boolean[] {false, true}) {
      add("one", new Rope(2, 100, inverse), 2, f32(NORMAL, 1, 2), i32(RAMP, 1));
      add("heads", new Rope(6, 10000, inverse), 2, f32(NORMAL, 13, 18), ids(13, 13));
      add("wide", new Rope(64, 500000, inverse), 2, f32(NORMAL, 70, 128), i32(RAMP, 70));
    }
  }

  private void norms() {
    for (int[] d : new int[][] {{1, 2}, {7, 13}, {13, 207}, {64, 48}}) {
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
    add("equal elements", new RmsNorm(1e-5f), 13, f32(SAME, 3, 13), f32(SAME, 13));
  }

  private void layerGradient(
      Accumulation gain,
      Accumulation bias,
      int reduction,
      List<OpCase.Input> fixed,
      OpCase.Input accumulator) {
    List<OpCase.Input> inputs = new ArrayList<>(fixed);
    for (Accumulation mode : List.of(gain, bias)) {
      if (mode == Accumulation.INTO_VARIABLE) {
        inputs.add(accumulator);
      }
    }
    Op op = new LayerNormGradient(true, gain, bias);
    add(gain + " " + bias, op, reduction, inputs.toArray(OpCase.Input[]::new));
  }

  private void attention() {
    AttentionShape[] shapes = {
      new AttentionShape(1, 1, 2, 1),
      new AttentionShape(2, 1, 6, 7),
      new AttentionShape(4, 2, 8, 13),
      new AttentionShape(2, 2, 16, 65),
      new AttentionShape(3, 1, 4, 130)
    };
    for (AttentionShape shape : shapes) {
      int tokens = 2 * shape.sequence();
      OpCase.Input q = f32(NORMAL, tokens, shape.heads() * shape.headDim());
      OpCase.Input k = f32(NORMAL, tokens, shape.kvHeads() * shape.headDim());
      OpCase.Input lse = f32((random, i) -> 3, 2 * shape.heads(), shape.sequence());
      OpCase.Input documents = i32((random, i) -> Math.floorDiv(i, 5), tokens);
      int n = 4 * shape.sequence() * shape.headDim();
      add(shape + "", new Attention(shape, false), n, q, k, k);
      add(shape + " documents", new Attention(shape, true), n, q, k, k, documents);
      add(shape + "", new AttentionGradient(shape, false), n, q, k, k, q, lse, q);
      add(
          shape + " documents",
          new AttentionGradient(shape, true),
          n,
          q,
          k,
          k,
          q,
          lse,
          q,
          documents);
    }
    AttentionShape small = new AttentionShape(1, 1, 2, 5);
    OpCase.Input loud = f32((random, i) -> 10 * gaussian(random), 5, 2);
    add("far apart scores", new Attention(small, false), 400, loud, loud, f32(NORMAL, 5, 2));
  }

  private void losses() {
    for (int[] d : new int[][] {{1, 1}, {1, 2}, {7, 13}, {13, 207}, {3, 8003}}) {
      OpCase.Draw target = (random, i) -> i % 4 == 3 ? CrossEntropy.IGNORED : random.nextInt(d[1]);
      OpCase.Input targets = i32(target, d[0]);
      add("", new CrossEntropy(), d[1], f32(NORMAL, d), targets);
      add("copy", new CrossEntropyWithGradient(false), d[1], f32(NORMAL, d), targets);
      add("in place", new CrossEntropyWithGradient(true), d[1], f32(NORMAL, d), targets);
      add("extreme", new CrossEntropyWithGradient(true), d[1], f32(EXTREME, d), targets);
      add("uniform", new CrossEntropyWithGradient(true), d[1], f32(SAME, d), targets);
    }
    OpCase.Input none = i32((random, i) -> CrossEntropy.IGNORED, 3);
    add("all ignored", new CrossEntropyWithGradient(true), 1, f32(NORMAL, 3, 5), none);
  }

  private void updates() {
    OpCase.Input count = f32((random, i) -> 37, 1);
    OpCase.Input norm = f32((random, i) -> 2.5, 1);
    OpCase.Input step = f32((random, i) -> new double[] {1e-2, 0.19, 0.05, 0.7, 3}[i], 5);
    OpCase.Input noClip = f32((random, i) -> 0, 5);
    OpCase.Input broken = f32((random, i) -> Double.NaN, 1);
    add("", new GlobalNorm(), 1000, f32(NORMAL, 13, 207), f32(NORMAL, 3), f32(NORMAL, 7), count);
    add("long", new GlobalNorm(), 1000, f32(NORMAL, 70_001), f32(NORMAL, 1), count);
    add("clips", new ClipScale(), 1, norm, count, step);
    add("off", new ClipScale(), 1, norm, count, noClip);
    add("broken norm", new ClipScale(), 1, broken, count, step);
    add("broken loss", new ClipScale(), 1, norm, count, step, broken);
    for (int[] d : MATRICES) {
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
