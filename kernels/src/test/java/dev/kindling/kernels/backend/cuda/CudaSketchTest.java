package dev.kindling.kernels.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.kernels.backend.CudaOptions;
import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.backend.cuda.layout.Precision;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.testing.Contents;
import dev.kindling.kernels.testing.CpuRun;
import dev.kindling.kernels.testing.PoisonedRun;
import dev.kindling.kernels.testing.SketchedLayers;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Sketches of many matrices in common launches, against the CPU and against each alone. */
@Tag("gpu")
class CudaSketchTest {
  private static final long SEED = Long.getLong("seed", 20261128L);
  private static final int LAYERS = 3;

  /** Tall, square, and wide without and with columns in multiples of 8; few edges fill a tile. */
  private static final List<Shape> SHAPES =
      List.of(
          Shape.of(208, 12),
          Shape.of(1, 1),
          Shape.of(72, 72),
          Shape.of(72, 72),
          Shape.of(13, 207),
          Shape.of(333, 40),
          Shape.of(136, 264),
          Shape.of(256, 512));

  private static double error(double[] found, double[] expected) {
    double difference = 0;
    double norm = 0;
    for (int i = 0; i < expected.length; i++) {
      difference += Math.pow(found[i] - expected[i], 2);
      norm += expected[i] * expected[i];
    }
    return Math.sqrt(difference / norm);
  }

  /** Squared lengths of the channels' sketches, over their mean. */
  private static double[] weights(double[] sketch, int rank) {
    double[] squares = new double[sketch.length / rank];
    for (int i = 0; i < sketch.length; i++) {
      squares[i / rank] += sketch[i] * sketch[i];
    }
    double mean = Arrays.stream(squares).average().orElseThrow();
    return Arrays.stream(squares).map(square -> square / mean).toArray();
  }

  private static double[] weighted(double[] factors, double[] weights) {
    return IntStream.range(0, factors.length).mapToDouble(i -> factors[i] * weights[i]).toArray();
  }

  /**
   * A factor is a quotient by the length of a sketch: where that of one number is nearly zero, what
   * its sum lost of its size is much of it. So factors are compared by the squares of the lengths,
   * and what adds up all of them no better than the shortest allows.
   */
  private static void compare(
      Map<String, double[]> found,
      Map<String, double[]> expected,
      int matrix,
      int rank,
      double bound) {
    double[] weights = weights(Contents.at(expected, "sketch" + matrix), rank);
    double shortest = Math.sqrt(Arrays.stream(weights).min().orElseThrow());
    for (String output : SketchedLayers.outputs(matrix)) {
      double[] is = Contents.at(found, output);
      double[] should = Contents.at(expected, output);
      boolean factors = output.startsWith("factors");
      boolean all = output.startsWith("sums") || output.startsWith("updated");
      assertThat(
              factors ? error(weighted(is, weights), weighted(should, weights)) : error(is, should))
          .as("%s seed %d", output, SEED)
          .isLessThanOrEqualTo(all ? bound / shortest : bound);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "1, GRADIENT, FP32", "1, GRADIENT, BF16", "1, FRESH_GRADIENT, BF16",
    "2, GRADIENT, BF16", "2, FRESH_GRADIENT, BF16", "9, GRADIENT, FP32",
    "9, GRADIENT, BF16", "9, FRESH_GRADIENT, BF16", "64, GRADIENT, FP32",
    "64, GRADIENT, BF16", "64, FRESH_GRADIENT, BF16", "64, FRESH_GRADIENT, FP32",
  })
  void sketchesOfManyMatricesAreThoseOfEach(int rank, Role role, Precision precision) {
    SketchedLayers layers = new SketchedLayers(SHAPES, LAYERS, rank, role, true);
    Map<String, double[]> contents = layers.contents(SEED);
    try (CudaBackend backend =
        new CudaBackend(new CudaOptions(0, precision, true, true), line -> {})) {
      Map<String, double[]> found = run(backend, layers.graph(), contents);
      Map<String, double[]> expected = CpuRun.run(layers.graph(), contents, 2, MatmulKind.JAVA);
      for (int matrix = 0; matrix < layers.matrices(); matrix++) {
        int contracted = Math.min(layers.shape(matrix).dim(0), layers.shape(matrix).dim(1));
        double bound = 32 * 0x1.0p-24 * Math.sqrt(Math.max(contracted, 4 * rank));
        compare(found, expected, matrix, rank, bound);
      }
      for (int matrix = 0; matrix < SHAPES.size(); matrix++) {
        Map<String, double[]> alone = run(backend, layers.graph(matrix), contents);
        // The library may add up another way when it has more to do.
        List<String> same = SketchedLayers.outputs(matrix).subList(rank == 1 ? 0 : 1, 2);
        for (String output : same) {
          assertThat(Contents.at(found, output))
              .as("%s %s", output, layers.shape(matrix))
              .isEqualTo(Contents.at(alone, output));
        }
      }
    }
  }

  /** Over differently spoilt memory twice. */
  private static Map<String, double[]> run(
      CudaBackend backend, Graph graph, Map<String, double[]> contents) {
    try (PoisonedRun run = new PoisonedRun(backend, graph)) {
      Map<String, double[]> first = run.run(contents, Float.NaN);
      Map<String, double[]> second = run.run(contents, 3e30f);
      first.forEach((name, content) -> assertThat(second.get(name)).as(name).isEqualTo(content));
      return first;
    }
  }
}
