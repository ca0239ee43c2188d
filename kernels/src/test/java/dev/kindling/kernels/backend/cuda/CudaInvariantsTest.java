package dev.kindling.kernels.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.CudaOptions;
import dev.kindling.kernels.backend.cuda.layout.Precision;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.StepScalar;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.op.AdamW;
import dev.kindling.kernels.graph.op.CrossEntropy;
import dev.kindling.kernels.graph.op.CrossEntropyWithGradient;
import dev.kindling.kernels.graph.op.EmbeddingGradient;
import dev.kindling.kernels.graph.op.GlobalNorm;
import dev.kindling.kernels.graph.op.LayerNorm;
import dev.kindling.kernels.graph.op.Op;
import dev.kindling.kernels.graph.op.RandomNormal;
import dev.kindling.kernels.graph.op.RmsNorm;
import dev.kindling.kernels.graph.op.RmsNormGradient;
import dev.kindling.kernels.graph.op.Rope;
import dev.kindling.kernels.testing.Contents;
import dev.kindling.kernels.testing.DeviceCase;
import dev.kindling.kernels.testing.PoisonedRun;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.IntToDoubleFunction;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What holds for norms, rotations, losses, sums and updates whatever their numbers are. */
@Tag("gpu")
class CudaInvariantsTest {
  private static final double BF16 = 0x1.0p-8;
  private static final Map<Precision, Backend> BACKENDS = new EnumMap<>(Precision.class);

  private final SplittableRandom random = new SplittableRandom(Long.getLong("seed", 53L));

  @BeforeAll
  static void open() {
    for (Precision precision : Precision.values()) {
      BACKENDS.put(precision, Backend.cuda(new CudaOptions(0, precision, true, false)));
    }
  }

  @AfterAll
  static void close() {
    BACKENDS.values().forEach(Backend::close);
    BACKENDS.clear();
  }

  private record Input(ValueType type, double[] values) {}

  private static Input floats(double[] values, int... dims) {
    return new Input(ValueType.f32(dims), values);
  }

  private static Input ints(int count, IntToDoubleFunction law) {
    return new Input(ValueType.i32(count), IntStream.range(0, count).mapToDouble(law).toArray());
  }

  private double[] uniform(int count) {
    double[] values = random.doubles(count, -2, 2).toArray();
    return DeviceCase.rounded(values);
  }

  /** The outputs, which are the same over differently spoilt memory. */
  private static List<double[]> run(Precision precision, Op op, Input... inputs) {
    List<ValueType> types = Arrays.stream(inputs).map(Input::type).toList();
    List<double[]> values = Arrays.stream(inputs).map(Input::values).toList();
    DeviceCase test = DeviceCase.of(op, types, values);
    List<double[]> outputs = new ArrayList<>();
    try (PoisonedRun run = new PoisonedRun(BACKENDS.get(precision), test.graph())) {
      Map<String, double[]> found = run.run(test.contents(), Float.NaN);
      Map<String, double[]> again = run.run(test.contents(), 3e30f);
      for (int i = 0; i < test.outputs(); i++) {
        outputs.add(Contents.at(found, DeviceCase.output(i)));
        assertThat(Contents.at(again, DeviceCase.output(i))).isEqualTo(outputs.get(i));
      }
    }
    return outputs;
  }

  private static double[] times(double[] x, double factor) {
    return Arrays.stream(x).map(v -> v * factor).toArray();
  }

  private static double sum(double[] x, int from, int to) {
    return Arrays.stream(x, from, to).sum();
  }

  @ParameterizedTest
  @EnumSource
  void rmsNormDoesNotSeeTheScale(Precision precision) {
    int width = 517;
    double[] x = uniform(9 * width);
    Input gain = floats(uniform(width), width);
    List<double[]> small = run(precision, new RmsNorm(0), floats(x, 9, width), gain);
    List<double[]> large = run(precision, new RmsNorm(0), floats(times(x, 8), 9, width), gain);
    assertThat(large.get(0)).isEqualTo(small.get(0));
  }

  @ParameterizedTest
  @EnumSource
  void theGradientOfRmsNormIsOrthogonalToItsInput(Precision precision) {
    int width = 768;
    double[] x = uniform(5 * width);
    double[] gain = uniform(width);
    Input in = floats(x, 5, width);
    List<double[]> forward = run(precision, new RmsNorm(0), in, floats(gain, width));
    RmsNormGradient op =
        new RmsNormGradient(false, dev.kindling.kernels.graph.op.Accumulation.NONE);
    double[] dx =
        run(
                precision,
                op,
                in,
                floats(gain, width),
                floats(forward.get(1), 5),
                floats(uniform(5 * width), 5, width))
            .get(0);
    for (int row = 0; row < 5; row++) {
      double along = 0;
      double all = 0;
      for (int i = row * width; i < (row + 1) * width; i++) {
        along += dx[i] * x[i];
        all += Math.abs(dx[i] * x[i]);
      }
      // The moments travel through the test as bf16 numbers too.
      assertThat(Math.abs(along) / all).as("row " + row).isLessThan(2 * BF16);
    }
  }

  /** Sixteenths up to 2 and an offset of 2: nothing is rounded on the way in. */
  @ParameterizedTest
  @EnumSource
  void layerNormDoesNotSeeAnOffset(Precision precision) {
    int width = 512;
    double[] x =
        IntStream.range(0, 7 * width).mapToDouble(i -> random.nextInt(-32, 33) / 16.0).toArray();
    double[] far = Arrays.stream(x).map(v -> v + 2).toArray();
    Input gain = floats(uniform(width), width);
    Input bias = floats(uniform(width), width);
    double[] near = run(precision, new LayerNorm(1e-5f), floats(x, 7, width), gain, bias).get(0);
    double[] moved = run(precision, new LayerNorm(1e-5f), floats(far, 7, width), gain, bias).get(0);
    double tolerance = precision == Precision.BF16 ? 8 * BF16 : 1e-5;
    for (int i = 0; i < near.length; i++) {
      assertThat(moved[i]).isCloseTo(near[i], within(tolerance));
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {64, 128, 6})
  void ropeTurnsBackAndKeepsLengths(int headDim) {
    int tokens = 33;
    double[] x = uniform(tokens * 3 * headDim);
    Input positions = ints(tokens, t -> tokens - 1 - t);
    Rope op = new Rope(headDim, 10000, false);
    double[] y = run(Precision.FP32, op, floats(x, tokens, 3 * headDim), positions).get(0);
    for (int head = 0; head < tokens * 3; head++) {
      double before = 0;
      double after = 0;
      for (int i = head * headDim; i < (head + 1) * headDim; i++) {
        before += x[i] * x[i];
        after += y[i] * y[i];
      }
      assertThat(after / before).isCloseTo(1, within(1e-6));
    }
    // DeviceCase rounds what goes in, so the way back is as good as bf16.
    Rope back = new Rope(headDim, 10000, true);
    double[] again = run(Precision.FP32, back, floats(y, tokens, 3 * headDim), positions).get(0);
    for (int i = 0; i < x.length; i++) {
      assertThat(again[i]).isCloseTo(x[i], within(4 * BF16));
    }
  }

  @Test
  void productsOfTurnedHeadsDependOnTheDistanceAlone() {
    int headDim = 64;
    double[] q = uniform(headDim);
    double[] k = uniform(headDim);
    double[] both = new double[30 * headDim];
    for (int t = 0; t < 30; t++) {
      System.arraycopy(t % 2 == 0 ? q : k, 0, both, t * headDim, headDim);
    }
    Rope op = new Rope(headDim, 10000, false);
    double[] y =
        run(
                Precision.FP32,
                op,
                floats(both, 30, headDim),
                ints(30, t -> Math.floorDiv(t, 2) + t % 2 * 7))
            .get(0);
    double first = dot(y, 0, headDim);
    for (int pair = 1; pair < 15; pair++) {
      assertThat(dot(y, pair, headDim)).isCloseTo(first, within(2e-5));
    }
  }

  private static double dot(double[] y, int pair, int headDim) {
    double sum = 0;
    for (int c = 0; c < headDim; c++) {
      sum += y[2 * pair * headDim + c] * y[(2 * pair + 1) * headDim + c];
    }
    return sum;
  }

  @ParameterizedTest
  @ValueSource(ints = {2, 517, 8003, 32000})
  void gradientsOfLogitsCancelAndIgnoredRowsAreZero(int vocabulary) {
    int rows = 12;
    double[] logits = uniform(rows * vocabulary);
    Arrays.fill(logits, 0, vocabulary / 2, 100);
    Arrays.fill(logits, vocabulary / 2, vocabulary, -100);
    Input targets = ints(rows, t -> t % 4 == 3 ? CrossEntropy.IGNORED : t * 37 % vocabulary);
    for (Precision precision : Precision.values()) {
      List<double[]> found =
          run(
              precision,
              new CrossEntropyWithGradient(true),
              floats(logits, rows, vocabulary),
              targets);
      assertThat(found.get(0)[0]).isFinite();
      assertThat(found.get(1)[0]).isEqualTo(9);
      for (int row = 0; row < rows; row++) {
        int from = row * vocabulary;
        double[] dz = Arrays.copyOfRange(found.get(2), from, from + vocabulary);
        double all = Arrays.stream(dz).map(Math::abs).sum();
        if (row % 4 == 3) {
          assertThat(all).isZero();
        } else {
          // bf16 rounds each, and the one large entry most.
          double tolerance = precision == Precision.BF16 ? BF16 : 1e-3;
          assertThat(Math.abs(sum(dz, 0, vocabulary))).isLessThanOrEqualTo(tolerance * all);
        }
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {2, 517, 8003})
  void equalLogitsCostTheLogarithmOfTheVocabulary(int vocabulary) {
    double[] logits = new double[6 * vocabulary];
    Input targets = ints(6, t -> t * 31 % vocabulary);
    for (double level : new double[] {0, 3.5, -64}) {
      Arrays.fill(logits, level);
      double loss =
          run(Precision.BF16, new CrossEntropy(), floats(logits, 6, vocabulary), targets).get(0)[0];
      assertThat(loss / 6).isCloseTo(Math.log(vocabulary), within(1e-5));
    }
  }

  /** Ids that are all equal, all distinct, one hot among others, and random. */
  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2, 3})
  void embeddingGradientsAreSumsOverTheirTokens(int law) {
    int tokens = 3000;
    int width = 96;
    int rows = 4096;
    Input ids =
        ints(
            tokens,
            t ->
                switch (law) {
                  case 0 -> 7;
                  case 1 -> (t * 5 + 1) % rows;
                  case 2 -> t % 3 == 0 ? 4095 : t;
                  default -> random.nextInt(rows);
                });
    double[] dy = uniform(tokens * width);
    double[] expected = new double[rows * width];
    for (int t = 0; t < tokens; t++) {
      for (int c = 0; c < width; c++) {
        expected[(int) ids.values()[t] * width + c] += dy[t * width + c];
      }
    }
    for (Precision precision : Precision.values()) {
      double[] found =
          run(precision, new EmbeddingGradient(rows, false), floats(dy, tokens, width), ids).get(0);
      for (int i = 0; i < expected.length; i++) {
        assertThat(found[i]).isCloseTo(expected[i], within(1e-3));
      }
    }
  }

  @Test
  void theNormOfEqualNumbersIsKnown() {
    int count = 123_457;
    double[] halves = new double[count];
    Arrays.fill(halves, 0.5);
    double norm =
        run(
                Precision.BF16,
                new GlobalNorm(),
                floats(halves, count),
                floats(new double[] {0.5, 0.5, 0.5}, 3),
                floats(new double[] {4}, 1))
            .get(0)[0];
    assertThat(norm).isEqualTo((float) (0.5 * Math.sqrt(count + 3) / 4));
  }

  @Test
  void randomNumbersAreNormalAndMoveWithTheStep() {
    int count = 1 << 18;
    double[] step = new double[StepScalar.values().length];
    step[StepScalar.STEP.ordinal()] = 5;
    RandomNormal op = new RandomNormal(Shape.of(count), 99);
    double[] first = run(Precision.BF16, op, floats(step, step.length)).get(0);
    step[StepScalar.STEP.ordinal()] = 6;
    double[] second = run(Precision.BF16, op, floats(step, step.length)).get(0);
    double mean = sum(first, 0, count) / count;
    double square = Arrays.stream(first).map(x -> x * x).sum() / count;
    assertThat(mean).isCloseTo(0, within(4 / Math.sqrt(count)));
    assertThat(square).isCloseTo(1, within(4 * Math.sqrt(2.0 / count)));
    double product = IntStream.range(0, count).mapToDouble(i -> first[i] * second[i]).sum();
    assertThat(product / count).isCloseTo(0, within(4 / Math.sqrt(count)));
  }

  /** The first update of Adam goes by the learning rate, whatever the gradient's size. */
  @Test
  void theFirstUpdateGoesByTheSignOfTheGradient() {
    int count = 1000;
    double[] gradient = uniform(count);
    double[] zero = new double[count];
    double[] step = new double[StepScalar.values().length];
    step[StepScalar.LEARNING_RATE.ordinal()] = 0x1.0p-6;
    step[StepScalar.BIAS_CORRECTION1.ordinal()] = DeviceCase.rounded(0.1);
    step[StepScalar.BIAS_CORRECTION2.ordinal()] = DeviceCase.rounded(0.05);
    double[] moved =
        run(
                Precision.BF16,
                new AdamW(0.9f, 0.95f, 1e-12f, 0),
                floats(zero, count),
                floats(gradient, count),
                floats(zero, count),
                floats(zero, count),
                floats(new double[] {1}, 1),
                floats(step, step.length))
            .get(0);
    double expected =
        0x1.0p-6 * (0.1 / DeviceCase.rounded(0.1)) / Math.sqrt(0.05 / DeviceCase.rounded(0.05));
    for (int i = 0; i < count; i++) {
      if (gradient[i] != 0) {
        assertThat(moved[i] * -Math.signum(gradient[i])).isCloseTo(expected, within(1e-6));
      }
    }
  }
}
