package dev.kindling.kernels.autodiff;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.graph.Columns;
import dev.kindling.kernels.graph.Demand;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.memory.MemoryPlan;
import dev.kindling.kernels.testing.Contents;
import dev.kindling.kernels.testing.CpuRun;
import dev.kindling.kernels.testing.GraphOracle;
import dev.kindling.kernels.testing.TinyModels;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Function;
import org.junit.jupiter.api.Test;

/**
 * Whole models: gradients of every parameter against finite differences, and the CPU backend
 * against fp64.
 */
class CompositionTest {
  private static final long SEED = Long.getLong("seed", 11L);
  private static final double STEP = 1e-5;

  /** Of the norm: some tens of roundings on the way from the loss to a weight (seen: 1.3e-6). */
  private static final double GRADIENT_ERROR = 64 * 0x1.0p-24;

  private static final Function<String, Demand> WHOLE = name -> Demand.whole();
  private static final TinyModels SMALL = new TinyModels(8, 4, 4, 7, false);
  private static final TinyModels SEGMENTED = new TinyModels(14, 7, 4, 7, true);

  /** Only two input features of the MLP's first weights. */
  private static Demand paca(String name) {
    return name.endsWith("gate") || name.endsWith("up") || name.endsWith("fc")
        ? Demand.columns(2, 0)
        : Demand.none();
  }

  @Test
  void llamaGradientsMatchFiniteDifferences() {
    differences(SMALL, SMALL.llama(WHOLE));
  }

  @Test
  void llamaWithDocumentsMatchesFiniteDifferences() {
    differences(SEGMENTED, SEGMENTED.llama(WHOLE));
  }

  @Test
  void gpt2GradientsMatchFiniteDifferences() {
    differences(SMALL, SMALL.gpt2(WHOLE));
  }

  @Test
  void columnsMatchFiniteDifferencesInBothLayouts() {
    differences(SMALL, SMALL.llama(CompositionTest::paca));
    differences(SMALL, SMALL.gpt2(CompositionTest::paca));
  }

  private static void differences(TinyModels model, Graph graph) {
    Map<String, double[]> contents = model.contents(graph, SEED);
    Map<String, double[]> after = GraphOracle.run(graph, contents);
    int checked = 0;
    for (Param param : graph.params()) {
      double[] gradient = after.get("grad/" + param.name());
      if (gradient == null) {
        continue;
      }
      double[] values = Contents.at(contents, param.name());
      for (int i = 0; i < gradient.length; i++) {
        int at = element(param, gradient.length, i);
        double x = values[at];
        values[at] = x + STEP;
        double up = Contents.at(GraphOracle.run(graph, contents), "loss_sum")[0];
        values[at] = x - STEP;
        double down = Contents.at(GraphOracle.run(graph, contents), "loss_sum")[0];
        values[at] = x;
        assertThat(gradient[i])
            .as("%s[%d] seed %d", param.name(), i, SEED)
            .isCloseTo((up - down) / (2 * STEP), within(1e-6 * Math.max(1, Math.abs(gradient[i]))));
        checked++;
      }
    }
    assertThat(checked).isGreaterThan(20);
  }

  /** Which element of the parameter the i-th element of its gradient belongs to. */
  private static int element(Param param, int size, int i) {
    if (!(param.demand() instanceof Columns columns)) {
      return i;
    }
    int[] indices = columns.toArray();
    boolean inOut = param.name().endsWith("fc");
    int out = size / indices.length;
    return inOut
        ? indices[i / out] * out + i % out
        : i / indices.length * param.shape().dim(1) + indices[i % indices.length];
  }

  @Test
  void cpuMatchesTheOracle() {
    TinyModels model = new TinyModels(26, 13, 36, 211, true);
    for (Graph graph : new Graph[] {model.llama(WHOLE), model.gpt2(WHOLE)}) {
      Map<String, double[]> contents = model.contents(graph, SEED);
      Map<String, double[]> expected = GraphOracle.run(graph, contents);
      for (MatmulKind kind : MatmulKind.values()) {
        Map<String, double[]> found = CpuRun.run(graph, contents, 2, kind);
        for (Param param : graph.params()) {
          String name = "grad/" + param.name();
          assertThat(error(Contents.at(found, name), Contents.at(expected, name)))
              .as(name)
              .isLessThan(GRADIENT_ERROR);
        }
        double loss = Contents.at(expected, "loss_sum")[0];
        assertThat(Contents.at(found, "loss_sum")[0]).isCloseTo(loss, within(1e-5 * loss));
      }
    }
  }

  /** Norm of the difference over the norm of what is expected. */
  private static double error(double[] found, double[] expected) {
    double difference = 0;
    double norm = 0;
    for (int i = 0; i < expected.length; i++) {
      difference += Math.pow(found[i] - expected[i], 2);
      norm += expected[i] * expected[i];
    }
    return Math.sqrt(difference / norm);
  }

  @Test
  void sameGraphSameBits() {
    TinyModels model = new TinyModels(26, 13, 36, 211, false);
    Graph graph = model.llama(WHOLE);
    Map<String, double[]> contents = model.contents(graph, SEED);
    Map<String, double[]> first = CpuRun.run(graph, contents, 2, MatmulKind.JAVA);
    Map<String, double[]> again = CpuRun.run(graph, contents, 2, MatmulKind.JAVA);
    Map<String, double[]> oneThread = CpuRun.run(graph, contents, 1, MatmulKind.JAVA);
    for (String name : first.keySet()) {
      assertThat(again.get(name)).as(name).isEqualTo(first.get(name));
      assertThat(oneThread.get(name)).as("one thread: " + name).isEqualTo(first.get(name));
    }
  }

  /** Two micro-steps of one sequence each add up to one micro-step of two. */
  @Test
  void accumulationEqualsOneStep() {
    TinyModels both = new TinyModels(14, 7, 4, 7, false);
    TinyModels half = new TinyModels(7, 7, 4, 7, false);
    Graph whole = both.llama(WHOLE);
    Map<String, double[]> contents = both.contents(whole, SEED);
    Map<String, double[]> expected = GraphOracle.run(whole, contents);
    Graph micro = half.llama(WHOLE);
    Map<String, double[]> state = contents;
    for (int step = 0; step < 2; step++) {
      Map<String, double[]> given = new HashMap<>(state);
      for (String input : new String[] {"ids", "positions", "targets"}) {
        given.put(input, Arrays.copyOfRange(Contents.at(contents, input), 7 * step, 7 * step + 7));
      }
      state = CpuRun.run(micro, given, 1, MatmulKind.OPENBLAS);
    }
    for (Param param : whole.params()) {
      String name = "grad/" + param.name();
      assertThat(error(Contents.at(state, name), Contents.at(expected, name)))
          .as(name)
          .isLessThan(GRADIENT_ERROR);
    }
    assertThat(Contents.at(state, "loss_sum")[0])
        .isCloseTo(Contents.at(expected, "loss_sum")[0], within(1e-4));
    assertThat(Contents.at(state, "token_count")).isEqualTo(Contents.at(expected, "token_count"));
  }

  @Test
  void columnsNeedLessMemoryThanWhole() {
    TinyModels model = new TinyModels(64, 16, 32, 50, false);
    Function<String, Demand> wholeMlp =
        name -> paca(name) instanceof Columns ? Demand.whole() : Demand.none();
    long columns = MemoryPlan.of(model.llama(CompositionTest::paca)).totalBytes();
    long whole = MemoryPlan.of(model.llama(wholeMlp)).totalBytes();
    assertThat(columns).isLessThan(whole);
  }
}
