package dev.kindling.kernels.cases;

import static dev.kindling.kernels.cases.OpCases.NORMAL;
import static dev.kindling.kernels.cases.OpCases.f32;

import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.op.Adafactor;
import dev.kindling.kernels.graph.op.AdamMini;
import dev.kindling.kernels.graph.op.Descend;
import dev.kindling.kernels.graph.op.FactoredMoments;
import dev.kindling.kernels.graph.op.FactoredRms;
import dev.kindling.kernels.graph.op.Lion;
import dev.kindling.kernels.graph.op.Momentum;
import dev.kindling.kernels.graph.op.Normalize;
import dev.kindling.kernels.graph.op.Op;
import dev.kindling.kernels.graph.op.QuantizedAdamW;
import dev.kindling.kernels.graph.op.WeightedSum;
import java.util.Optional;

/** The lines of the case table about updates of parameters with little state. */
final class UpdateCases {
  private static final OpCase.Draw POSITIVE = (random, i) -> random.nextDouble(0.1, 2);
  private static final OpCase.Input SCALE = f32(POSITIVE, 1);
  private static final OpCase.Input ZERO = f32((random, i) -> 0, 1);
  private static final OpCase.Input STEP =
      f32((random, i) -> new double[] {1e-2, 0.19, 0.05, 0.7, 3}[i], 5);

  private final OpCases cases;

  private UpdateCases(OpCases cases) {
    this.cases = cases;
  }

  static void add(OpCases cases, int[][] matrices) {
    UpdateCases lines = new UpdateCases(cases);
    for (int[] d : matrices) {
      lines.elementwise(d);
      lines.directions(d);
      lines.factored(d, f32(NORMAL, d));
      lines.blocks(d);
    }
    lines.factored(new int[] {37, 1}, f32(NORMAL, 37));
  }

  private void add(String name, Op op, int reduction, OpCase.Input... inputs) {
    cases.together(name, 1, op, reduction, inputs);
  }

  private void elementwise(int[] d) {
    OpCase.Input x = f32(NORMAL, d);
    add("", new Lion(0.9f, 0.99f, 0.1f), 4, x, x, x, SCALE, STEP);
    add("skips", new Lion(0.9f, 0.99f, 0.1f), 1, x, x, x, ZERO, STEP);
    long elements = x.type().shape().elements();
    OpCase.Input words = new OpCase.Input(QuantizedAdamW.words(elements), UpdateCases::word);
    ValueType scales = QuantizedAdamW.scales(elements);
    OpCase.Input largest = new OpCase.Input(scales, POSITIVE);
    Op quantized = new QuantizedAdamW(0.9f, 0.95f, 1e-8f, 0.1f, Optional.empty());
    add("", quantized, 4, x, x, words, words, largest, SCALE, STEP);
    add("skips", quantized, 1, x, x, words, words, largest, ZERO, STEP);
  }

  private void directions(int[] d) {
    OpCase.Input x = f32(NORMAL, d);
    add("", new Momentum(0.95f, false), 4, x, x, SCALE);
    add("nesterov", new Momentum(0.95f, true), 4, x, x, SCALE);
    add("skips", new Momentum(0.95f, true), 1, x, x, ZERO);
    add("", new Normalize(1e-7f), 1, x, SCALE);
    add("least", new Normalize(0.5f), 1, x, ZERO);
    add("", new WeightedSum(3.4445f, -4.775f), 2, x, x);
    add("one", new WeightedSum(1, 0), 1, x, x);
    add("", new Descend(0.2f, 0.1f), 2, x, x, SCALE, STEP);
    add("skips", new Descend(0.2f, 0.1f), 1, x, x, ZERO, STEP);
  }

  private void factored(int[] d, OpCase.Input x) {
    OpCase.Input rows = f32(POSITIVE, d[0]);
    OpCase.Input columns = f32(POSITIVE, d[1]);
    int n = d[0] + d[1];
    String name = x.type().shape().rank() == 1 ? "vector " : "";
    add(name, new FactoredMoments(1e-30f), n, x, rows, columns, SCALE, STEP);
    add(name + "least", new FactoredMoments(0.5f), n, x, rows, columns, SCALE, STEP);
    add(name + "skips", new FactoredMoments(0.5f), n, x, rows, columns, ZERO, STEP);
    add(name, new FactoredRms(), 4, x, rows, columns, SCALE, SCALE);
    Op update = new Adafactor(1, 0.1f, false, 0);
    add(name, update, 4, x, x, rows, columns, SCALE, SCALE, SCALE, STEP);
    add(name + "skips", update, 1, x, x, rows, columns, SCALE, SCALE, ZERO, STEP);
    Op relative = new Adafactor(0.5f, 0, true, 1e-3f);
    add(name + "relative", relative, 4, x, x, rows, columns, SCALE, SCALE, SCALE, SCALE, STEP);
  }

  private void blocks(int[] d) {
    OpCase.Input x = f32(NORMAL, d);
    Op rows = new AdamMini(0.9f, 0.95f, 1e-8f, 0.1f, d[1]);
    add("rows", rows, d[1], x, x, x, f32(POSITIVE, d[0]), SCALE, STEP);
    add("skips", rows, 1, x, x, x, f32(POSITIVE, d[0]), ZERO, STEP);
    Op whole = new AdamMini(0.9f, 0.95f, 1e-8f, 0.1f, d[0] * d[1]);
    add("whole", whole, d[0] * d[1], x, x, x, f32(POSITIVE, 1), SCALE, STEP);
  }

  /** Codes that fp32 holds: numbers of the table travel as such. */
  private static double word(java.util.SplittableRandom random, int i) {
    return random.nextInt(1 << 24);
  }
}
