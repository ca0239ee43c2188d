package dev.kindling.kernels.cases;

import static dev.kindling.kernels.cases.OpCases.NORMAL;
import static dev.kindling.kernels.cases.OpCases.f32;

import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.op.Lion;
import dev.kindling.kernels.graph.op.Op;
import dev.kindling.kernels.graph.op.QuantizedAdamW;
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
    }
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

  /** Codes that fp32 holds: numbers of the table travel as such. */
  private static double word(java.util.SplittableRandom random, int i) {
    return random.nextInt(1 << 24);
  }
}
