package dev.kindling.kernels.backend.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.StepScalar;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.AddLoss;
import dev.kindling.kernels.graph.op.Mezo;
import dev.kindling.kernels.graph.op.Perturb;
import dev.kindling.kernels.graph.op.ProjectedGradient;
import dev.kindling.kernels.testing.CpuRun;
import dev.kindling.kernels.testing.GraphOracle;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A hundred zeroth-order steps of a bilinear classifier beside the same in fp64. */
class MezoTrajectoryTest {
  private static final int TOKENS = 24;
  private static final int WIDTH = 6;
  private static final int CLASSES = 5;
  private static final float EPS = 1e-2f;
  private static final long SEED = Long.getLong("seed", 20261128L);

  private static Value weight(GraphBuilder b, String name, int rows, int columns) {
    return b.variable(new Variable(name, ValueType.f32(rows, columns), Role.PARAMETER));
  }

  /** logits = table[ids] head', with both at two points. */
  private static Graph step(boolean masked) {
    GraphBuilder b = new GraphBuilder();
    Value ids = b.input("ids", Shape.of(TOKENS), DType.I32);
    Value targets = b.input("targets", Shape.of(TOKENS), DType.I32);
    String[] names = {"table", "head"};
    Value[] weights = {weight(b, "table", 7, WIDTH), weight(b, "head", CLASSES, WIDTH)};
    Value bound = b.variable(new Variable("bound", ValueType.f32(1), Role.STATE));
    Variable sums = new Variable("sums", ValueType.f32(4), Role.GRADIENT);
    Variable tokens = new Variable("tokens", ValueType.f32(1), Role.GRADIENT);
    Value[][] both = new Value[2][];
    for (int i = 0; i < 2; i++) {
      Perturb op = new Perturb(SEED + i, EPS, 0, masked);
      both[i] =
          (masked ? b.add(op, weights[i], bound, b.step()) : b.add(op, weights[i], b.step()))
              .toArray(Value[]::new);
    }
    for (int side = 0; side < 2; side++) {
      Value logits = b.linear(b.embedding(both[0][side], ids), both[1][side]);
      b.add(new AddLoss(side), logits, targets, b.variable(sums), b.variable(tokens));
    }
    Value votes = b.variable(new Variable("votes", ValueType.f32(1), Role.GRADIENT));
    Value all =
        b.add(
                new dev.kindling.kernels.graph.op.ConcatRows(),
                b.variable(sums),
                b.variable(tokens),
                votes)
            .get(0);
    var slopes = b.add(new ProjectedGradient(EPS, 1, 1), all);
    for (int i = 0; i < 2; i++) {
      Mezo op = new Mezo(SEED + i, 1, 0.1f, masked, Optional.empty());
      Value g = slopes.get(0);
      Value scale = slopes.get(1);
      Value updated =
          (masked
                  ? b.add(op, weights[i], g, scale, bound, b.step())
                  : b.add(op, weights[i], g, scale, b.step()))
              .get(0);
      b.output("out/" + names[i], updated);
    }
    b.output("out/slope", slopes.get(0));
    return b.build();
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aHundredStepsStayBesideTheReference(boolean masked) {
    Graph graph = step(masked);
    SplittableRandom random = new SplittableRandom(SEED);
    Map<String, double[]> found = new HashMap<>();
    found.put("table", random.doubles(7L * WIDTH, -1, 1).map(x -> (float) x).toArray());
    found.put("head", random.doubles((long) CLASSES * WIDTH, -1, 1).map(x -> (float) x).toArray());
    found.put("ids", random.ints(TOKENS, 0, 7).asDoubleStream().toArray());
    found.put("targets", random.ints(TOKENS, 0, CLASSES).asDoubleStream().toArray());
    found.put("bound", new double[] {0.5f});
    Map<String, double[]> expected = new HashMap<>(found);
    double first = 0;
    for (int step = 1; step <= 100; step++) {
      double[] block = new double[StepScalar.values().length];
      block[StepScalar.LEARNING_RATE.ordinal()] = 0.02f;
      block[StepScalar.STEP.ordinal()] = step;
      for (Map<String, double[]> side : java.util.List.of(found, expected)) {
        side.put("step", block);
        side.put("sums", new double[4]);
        side.put("tokens", new double[1]);
      }
      Map<String, double[]> now = CpuRun.run(graph, found, 1, MatmulKind.JAVA);
      Map<String, double[]> then = GraphOracle.run(graph, expected);
      double slope = then.get("out/slope")[0];
      assertThat(now.get("out/slope")[0])
          .as("step %d, seed %d", step, SEED)
          .isCloseTo(slope, within(2e-3 * (1 + Math.abs(slope))));
      for (String name : new String[] {"table", "head"}) {
        found.put(name, now.get("out/" + name));
        expected.put(name, then.get("out/" + name));
      }
      first = step == 1 ? then.get("sums")[0] : first;
    }
    for (String name : new String[] {"table", "head"}) {
      double[] reference = expected.get(name);
      for (int i = 0; i < reference.length; i++) {
        assertThat(found.get(name)[i])
            .as("%s[%d], seed %d", name, i, SEED)
            .isCloseTo(reference[i], within(2e-3));
      }
    }
    double last = GraphOracle.run(graph, expected).get("sums")[0];
    // With the mask half of the weights move.
    double share = masked ? 0.97 : 0.9;
    assertThat(last).as("loss after, before %s", first).isLessThan(share * first);
  }
}
