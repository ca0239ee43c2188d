package dev.kindling.kernels.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.CudaOptions;
import dev.kindling.kernels.backend.cuda.layout.Precision;
import dev.kindling.kernels.graph.AttentionShape;
import dev.kindling.kernels.testing.PlainAttention;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What holds for every causal attention, asked of our kernels. */
@Tag("gpu")
class CudaAttentionTest {
  private static final long SEED = AttentionInputs.SEED;

  /** Half a rounding step of bf16: rows of few keys may be exact in one implementation by luck. */
  private static final double LUCK = 0x1.0p-9;

  private static Backend backend;

  @BeforeAll
  static void open() {
    backend = Backend.cuda(new CudaOptions(0, Precision.BF16, true, false));
  }

  @AfterAll
  static void close() {
    backend.close();
  }

  record Line(AttentionShape shape, int sequences, boolean documents, boolean outliers) {}

  static List<Line> lines() {
    List<Line> lines = new ArrayList<>();
    for (int sequence : new int[] {1, 2, 7, 63, 64, 65, 127, 255, 256, 257, 1024}) {
      for (int headDim : new int[] {64, 128}) {
        for (int group : new int[] {1, 4, 8}) {
          for (boolean documents : new boolean[] {false, true}) {
            int kvHeads = group == 8 || sequence > 1000 ? 1 : 2;
            AttentionShape shape = new AttentionShape(group * kvHeads, kvHeads, headDim, sequence);
            lines.add(new Line(shape, sequence > 1000 ? 1 : 2, documents, false));
            if (sequence == 257 && group != 8) {
              lines.add(new Line(shape, 2, documents, true));
            }
          }
        }
      }
    }
    for (int window : new int[] {1, 2, 63, 64, 65, 128, 200}) {
      for (int headDim : new int[] {64, 128}) {
        AttentionShape shape = new AttentionShape(4, 2, headDim, 257, window);
        lines.add(new Line(shape, 2, false, false));
        lines.add(new Line(shape, 2, true, false));
      }
    }
    lines.addAll(otherWidths());
    return lines;
  }

  /** Heads that the kernels fill up with zeros, and those of more than 128. */
  private static List<Line> otherWidths() {
    List<Line> lines = new ArrayList<>();
    for (int headDim : new int[] {8, 16, 24, 32, 56, 72, 80, 96, 120, 136, 192, 200, 256}) {
      for (boolean documents : new boolean[] {false, true}) {
        for (int window : new int[] {0, 1, 65, 200}) {
          AttentionShape shape = new AttentionShape(3, 1, headDim, 257, window);
          lines.add(new Line(shape, 2, documents, window == 0));
        }
        for (int sequence : new int[] {1, 65, 1024}) {
          AttentionShape shape = new AttentionShape(4, 2, headDim, sequence);
          lines.add(new Line(shape, 1, documents, false));
        }
      }
    }
    return lines;
  }

  @ParameterizedTest
  @MethodSource("lines")
  void isNoWorseThanTwiceAPlainOneAndTheSameTwice(Line line) {
    AttentionInputs inputs =
        AttentionInputs.random(line.shape, line.sequences, line.documents, line.outliers);
    PlainAttention.Result exact = inputs.plainly(line.shape, false);
    PlainAttention.Result plain = inputs.plainly(line.shape, true);
    try (AttentionRun run = new AttentionRun(backend, line.shape, line.sequences, line.documents)) {
      PlainAttention.Result found = inputs.on(run);
      expectClose("o", found.o(), plain.o(), exact.o(), norm(exact.o()));
      // Gradients of scores cancel where a token sees only itself: the scale is that of dv then.
      double least = norm(exact.dv()) / 100;
      expectClose("dq", found.dq(), plain.dq(), exact.dq(), least);
      expectClose("dk", found.dk(), plain.dk(), exact.dk(), least);
      expectClose("dv", found.dv(), plain.dv(), exact.dv(), least);
      for (int i = 0; i < exact.lse().length; i++) {
        assertThat(found.lse()[i]).as("lse " + i).isCloseTo(exact.lse()[i], within(1e-3));
      }
      expectSameBits(inputs.on(run), found);
    }
  }

  private static void expectClose(
      String what, double[] found, double[] plain, double[] exact, double least) {
    double scale = Math.max(norm(exact), least);
    double baseline = distance(plain, exact) / scale;
    assertThat(distance(found, exact) / scale)
        .as("error of %s, %.2e of a plain implementation", what, baseline)
        .isLessThanOrEqualTo(2 * baseline + LUCK);
  }

  private static void expectSameBits(PlainAttention.Result found, PlainAttention.Result expected) {
    assertThat(found.o()).isEqualTo(expected.o());
    assertThat(found.lse()).isEqualTo(expected.lse());
    assertThat(found.dq()).isEqualTo(expected.dq());
    assertThat(found.dk()).isEqualTo(expected.dk());
    assertThat(found.dv()).isEqualTo(expected.dv());
  }

  private static double norm(double[] x) {
    return distance(x, new double[x.length]);
  }

  private static double distance(double[] a, double[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += (a[i] - b[i]) * (a[i] - b[i]);
    }
    return Math.sqrt(sum);
  }

  @ParameterizedTest
  @ValueSource(ints = {8, 64, 80, 128, 256})
  void anEagerRunHasTheSameBits(int headDim) {
    AttentionShape shape = new AttentionShape(4, 2, headDim, 257);
    AttentionInputs inputs = AttentionInputs.random(shape, 2, true, false);
    try (Backend eager = Backend.cuda(new CudaOptions(0, Precision.BF16, false, false));
        AttentionRun first = new AttentionRun(backend, shape, 2, true);
        AttentionRun second = new AttentionRun(eager, shape, 2, true)) {
      expectSameBits(inputs.on(second), inputs.on(first));
    }
  }

  /** Keys and offset are few enough bits that their sum is not rounded. */
  @ParameterizedTest
  @ValueSource(ints = {8, 64, 80, 128, 256})
  void anOffsetOfAllKeysMovesLseAlone(int headDim) {
    AttentionShape shape = new AttentionShape(2, 1, headDim, 130);
    AttentionInputs inputs = AttentionInputs.random(shape, 1, false, false);
    double[] near = new double[inputs.k().length];
    double[] far = new double[near.length];
    SplittableRandom random = new SplittableRandom(SEED);
    for (int i = 0; i < near.length; i++) {
      near[i] = random.nextInt(-16, 17) / 16.0;
      far[i] = near[i] + (i % headDim % 2 == 0 ? 0.5 : -0.5);
    }
    try (AttentionRun run = new AttentionRun(backend, shape, 1, false)) {
      PlainAttention.Result a = run.evaluate(inputs.q(), near, inputs.v(), inputs.dO(), null);
      PlainAttention.Result b = run.evaluate(inputs.q(), far, inputs.v(), inputs.dO(), null);
      assertThat(distance(a.o(), b.o()) / norm(a.o())).isLessThan(LUCK);
      for (int t = 0; t < 130; t++) {
        double shift = 0;
        for (int c = 0; c < headDim; c++) {
          shift += inputs.q()[t * 2 * headDim + c] * (c % 2 == 0 ? 0.5 : -0.5);
        }
        assertThat(b.lse()[t] - a.lse()[t])
            .as("lse of token " + t)
            .isCloseTo(shift / Math.sqrt(headDim), within(2e-3));
      }
    }
  }

  /** The last token sees all keys, in whatever order they lie. */
  @ParameterizedTest
  @ValueSource(ints = {8, 64, 80, 128, 256})
  void theOrderOfKeysDoesNotMatterToWhoSeesThemAll(int headDim) {
    int sequence = 257;
    AttentionShape shape = new AttentionShape(1, 1, headDim, sequence);
    AttentionInputs inputs = AttentionInputs.random(shape, 1, false, false);
    try (AttentionRun run = new AttentionRun(backend, shape, 1, false)) {
      double[] k = reversedRows(inputs.k(), headDim);
      double[] v = reversedRows(inputs.v(), headDim);
      double[] first = lastRow(inputs.on(run).o(), headDim);
      double[] second = lastRow(run.evaluate(inputs.q(), k, v, inputs.dO(), null).o(), headDim);
      assertThat(distance(first, second) / norm(first)).isLessThan(4 * LUCK);
    }
  }

  private static double[] reversedRows(double[] matrix, int width) {
    double[] reversed = new double[matrix.length];
    int rows = matrix.length / width;
    for (int row = 0; row < rows; row++) {
      System.arraycopy(matrix, row * width, reversed, (rows - 1 - row) * width, width);
    }
    return reversed;
  }

  private static double[] lastRow(double[] matrix, int width) {
    return Arrays.copyOfRange(matrix, matrix.length - width, matrix.length);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 63, 64, 65, 128, 200})
  void noTokenSeesOrMovesWhatComesAfterIt(int place) {
    int sequence = 257;
    for (int headDim : new int[] {8, 64, 80, 128, 256}) {
      AttentionShape shape = new AttentionShape(2, 1, headDim, sequence);
      AttentionInputs inputs = AttentionInputs.random(shape, 1, false, false);
      AttentionInputs changed = AttentionInputs.random(shape, 1, false, false);
      Arrays.fill(changed.k(), place * headDim, changed.k().length, 3);
      Arrays.fill(changed.v(), place * headDim, changed.v().length, -5);
      try (AttentionRun run = new AttentionRun(backend, shape, 1, false)) {
        int seen = place * 2 * headDim;
        double[] before = Arrays.copyOf(inputs.on(run).o(), seen);
        assertThat(Arrays.copyOf(changed.on(run).o(), seen)).isEqualTo(before);
        // A loss of the rows before the place alone.
        Arrays.fill(inputs.dO(), seen, inputs.dO().length, 0);
        PlainAttention.Result found = inputs.on(run);
        for (double[] gradient : List.of(found.dk(), found.dv())) {
          assertThat(Arrays.copyOfRange(gradient, place * headDim, gradient.length))
              .containsOnly(0.0);
        }
        assertThat(Arrays.copyOfRange(found.dq(), seen, found.dq().length)).containsOnly(0.0);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {8, 64, 80, 128, 256})
  void ofEqualValuesTheMeanIsThatValue(int headDim) {
    AttentionShape shape = new AttentionShape(4, 2, headDim, 257);
    AttentionInputs inputs = AttentionInputs.random(shape, 2, true, false);
    Arrays.fill(inputs.v(), 1);
    try (AttentionRun run = new AttentionRun(backend, shape, 2, true)) {
      for (double value : inputs.on(run).o()) {
        assertThat(value).isCloseTo(1, within(0x1.0p-8));
      }
    }
  }

  /**
   * Gradients of a row's scores add up to nothing; with one key vector everywhere dq is their sum.
   * They are rounded to bf16 before they are added, so the sum is as good as that.
   */
  @ParameterizedTest
  @ValueSource(ints = {8, 64, 80, 128, 256})
  void gradientsOfScoresCancelInEveryRow(int headDim) {
    AttentionShape shape = new AttentionShape(1, 1, headDim, 257);
    AttentionInputs inputs = AttentionInputs.random(shape, 1, false, false);
    Arrays.fill(inputs.k(), 1);
    double absolute = 0;
    for (int t = 0; t < 257; t++) {
      double mean = 0;
      double[] dp = new double[t + 1];
      for (int j = 0; j <= t; j++) {
        for (int c = 0; c < headDim; c++) {
          dp[j] += inputs.dO()[t * headDim + c] * inputs.v()[j * headDim + c];
        }
        mean += dp[j] / (t + 1);
      }
      double row = 0;
      for (int j = 0; j <= t; j++) {
        row += Math.abs(dp[j] - mean) / (t + 1);
      }
      absolute += row * row;
    }
    try (AttentionRun run = new AttentionRun(backend, shape, 1, false)) {
      double found = norm(inputs.on(run).dq());
      assertThat(found / Math.sqrt(absolute)).isLessThan(0x1.0p-8);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {8, 64, 80, 128, 256})
  void groupedHeadsAreHeadsWithCopiedKeys(int headDim) {
    AttentionShape grouped = new AttentionShape(8, 2, headDim, 129);
    AttentionShape copied = new AttentionShape(8, 8, headDim, 129);
    AttentionInputs inputs = AttentionInputs.random(grouped, 2, true, false);
    double[] k = repeated(inputs.k(), headDim);
    double[] v = repeated(inputs.v(), headDim);
    try (AttentionRun one = new AttentionRun(backend, grouped, 2, true);
        AttentionRun other = new AttentionRun(backend, copied, 2, true)) {
      PlainAttention.Result found = inputs.on(one);
      PlainAttention.Result all = other.evaluate(inputs.q(), k, v, inputs.dO(), inputs.segments());
      assertThat(found.o()).isEqualTo(all.o());
      assertThat(found.lse()).isEqualTo(all.lse());
      assertThat(found.dq()).isEqualTo(all.dq());
      double[] dk = summed(all.dk(), headDim);
      double[] dv = summed(all.dv(), headDim);
      assertThat(distance(found.dk(), dk) / norm(dk)).isLessThan(4 * LUCK);
      assertThat(distance(found.dv(), dv) / norm(dv)).isLessThan(4 * LUCK);
    }
  }

  /** Of 2 key heads each 4 times. */
  private static double[] repeated(double[] matrix, int headDim) {
    double[] all = new double[4 * matrix.length];
    for (int i = 0; i < all.length; i++) {
      all[i] =
          matrix[i / (8 * headDim) * 2 * headDim + i / (4 * headDim) % 2 * headDim + i % headDim];
    }
    return all;
  }

  private static double[] summed(double[] all, int headDim) {
    double[] sums = new double[all.length / 4];
    for (int i = 0; i < all.length; i++) {
      sums[i / (8 * headDim) * 2 * headDim + i / (4 * headDim) % 2 * headDim + i % headDim] +=
          all[i];
    }
    return sums;
  }

  /** Four documents of 64 in one sequence, and the same as four sequences. */
  @ParameterizedTest
  @ValueSource(ints = {8, 64, 80, 128, 256})
  void documentsAreSequencesOfTheirOwn(int headDim) {
    AttentionShape packed = new AttentionShape(4, 2, headDim, 256);
    AttentionShape alone = new AttentionShape(4, 2, headDim, 64);
    AttentionInputs inputs = AttentionInputs.random(packed, 1, true, false);
    for (int t = 0; t < 256; t++) {
      inputs.segments()[t] = Math.floorDiv(t, 64);
    }
    try (AttentionRun one = new AttentionRun(backend, packed, 1, true);
        AttentionRun other = new AttentionRun(backend, alone, 4, false)) {
      PlainAttention.Result found = inputs.on(one);
      PlainAttention.Result each = inputs.on(other);
      assertThat(distance(found.o(), each.o()) / norm(each.o())).isLessThan(2 * LUCK);
      assertThat(distance(found.dq(), each.dq()) / norm(each.dq())).isLessThan(4 * LUCK);
      assertThat(distance(found.dk(), each.dk()) / norm(each.dk())).isLessThan(4 * LUCK);
      assertThat(distance(found.dv(), each.dv()) / norm(each.dv())).isLessThan(4 * LUCK);
    }
  }

  @Test
  void aTokenThatIsADocumentKeepsItsValue() {
    AttentionShape shape = new AttentionShape(2, 2, 64, 100);
    AttentionInputs inputs = AttentionInputs.random(shape, 1, true, false);
    for (int t = 0; t < 100; t++) {
      inputs.segments()[t] = t;
    }
    try (AttentionRun run = new AttentionRun(backend, shape, 1, true)) {
      PlainAttention.Result found = inputs.on(run);
      assertThat(found.o()).isEqualTo(inputs.v());
      assertThat(found.dv()).isEqualTo(inputs.dO());
    }
  }
}
