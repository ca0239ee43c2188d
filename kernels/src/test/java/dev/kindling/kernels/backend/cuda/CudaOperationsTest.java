package dev.kindling.kernels.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import dev.kindling.kernels.backend.CudaOptions;
import dev.kindling.kernels.backend.DeviceException;
import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.backend.cuda.layout.Precision;
import dev.kindling.kernels.cases.OpCase;
import dev.kindling.kernels.cases.OpCases;
import dev.kindling.kernels.graph.AttentionShape;
import dev.kindling.kernels.graph.op.Attention;
import dev.kindling.kernels.graph.op.AttentionGradient;
import dev.kindling.kernels.graph.op.Op;
import dev.kindling.kernels.testing.Contents;
import dev.kindling.kernels.testing.CpuRun;
import dev.kindling.kernels.testing.DeviceCase;
import dev.kindling.kernels.testing.PoisonedRun;
import java.util.EnumMap;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every line of the case table on the GPU, against the CPU backend. */
@Tag("gpu")
@Execution(ExecutionMode.SAME_THREAD)
class CudaOperationsTest {
  private static final long SEED = Long.getLong("seed", 20261127L);

  /** Largest relative error of one rounding to bf16. */
  private static final double BF16_ROUNDING = 0x1.0p-8;

  private static final Map<Precision, CudaBackend> BACKENDS = new EnumMap<>(Precision.class);

  @BeforeAll
  static void open() {
    for (Precision precision : Precision.values()) {
      BACKENDS.put(
          precision, new CudaBackend(new CudaOptions(0, precision, true, true), line -> {}));
    }
  }

  @AfterAll
  static void close() {
    BACKENDS.values().forEach(CudaBackend::close);
    BACKENDS.clear();
  }

  static Stream<OpCase> lines() {
    return Stream.concat(OpCases.all().stream(), OpCases.large().stream())
        .filter(line -> line.ranks() == 1);
  }

  @ParameterizedTest
  @MethodSource("lines")
  void agreesWithTheCpuInFp32(OpCase line) {
    check(line, Precision.FP32);
  }

  @ParameterizedTest
  @MethodSource("lines")
  void agreesWithTheCpuInBf16(OpCase line) {
    check(line, Precision.BF16);
  }

  static Stream<OpCase> linesWithGradients() {
    return lines().filter(DeviceCase::takesFreshGradients);
  }

  /** The contents are rounded to bf16 for both; what is added up in a gradient is rounded once. */
  @ParameterizedTest
  @MethodSource("linesWithGradients")
  void agreesWithTheCpuWithGradientsInBf16(OpCase line) {
    check(line, Precision.BF16, DeviceCase.withFreshGradients(line, SEED));
  }

  private static void check(OpCase line, Precision precision) {
    check(line, precision, DeviceCase.of(line, SEED));
  }

  private static void check(OpCase line, Precision precision, DeviceCase test) {
    CudaBackend backend = BACKENDS.get(precision);
    if (!isTaken(line.op(), precision)) {
      Throwable refusal = catchThrowable(() -> new PoisonedRun(backend, test.graph()));
      assertThat(refusal).isInstanceOf(DeviceException.class);
      assertThat(refusal).hasMessageContaining(line.op().getClass().getSimpleName());
      return;
    }
    Map<String, double[]> first;
    Map<String, double[]> second;
    try (PoisonedRun run = new PoisonedRun(backend, test.graph())) {
      first = run.run(test.contents(), Float.NaN);
      second = run.run(test.contents(), 3e30f);
    }
    Map<String, double[]> expected = CpuRun.run(test.graph(), test.contents(), 2, MatmulKind.JAVA);
    for (int i = 0; i < test.outputs(); i++) {
      String output = DeviceCase.output(i);
      double[] found = Contents.at(first, output);
      String what = line + " " + precision + " output " + i + " seed " + SEED;
      assertThat(error(found, Contents.at(expected, output)))
          .as(what)
          .isLessThanOrEqualTo(tolerance(line, precision));
      assertThat(Contents.at(second, output)).as(what + " again").isEqualTo(found);
    }
  }

  /** What the kernels claim; everything else they must refuse by name. */
  static boolean isTaken(Op op, Precision precision) {
    if (op instanceof Attention attention) {
      return precision == Precision.BF16 && isTaken(attention.shape());
    }
    if (op instanceof AttentionGradient gradient) {
      return precision == Precision.BF16 && isTaken(gradient.shape());
    }
    return CudaKernels.operations().contains(op.getClass());
  }

  private static boolean isTaken(AttentionShape shape) {
    return shape.headDim() % 8 == 0 && shape.headDim() <= 256;
  }

  /**
   * Both sides may be as wrong as the line allows; a bf16 output is rounded once more, and fused
   * attention rounds its probabilities and their gradient before they meet a matrix.
   */
  private static double tolerance(OpCase line, Precision precision) {
    int roundings =
        line.op() instanceof AttentionGradient ? 3 : line.op() instanceof Attention ? 2 : 1;
    return 2 * line.tolerance() + (precision == Precision.BF16 ? roundings * BF16_ROUNDING : 0);
  }

  private static double error(double[] found, double[] expected) {
    double difference = 0;
    double norm = 0;
    for (int i = 0; i < expected.length; i++) {
      difference += Math.pow(found[i] - expected[i], 2);
      norm += expected[i] * expected[i];
    }
    return norm == 0 ? Math.sqrt(difference) : Math.sqrt(difference / norm);
  }
}
