package dev.kindling.kernels.backend.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.graph.AttentionShape;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.Attention;
import dev.kindling.kernels.graph.op.AttentionGradient;
import dev.kindling.kernels.testing.Contents;
import dev.kindling.kernels.testing.CpuRun;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class AttentionWindowTest {
  private static final long SEED = Long.getLong("seed", 43L);
  private static final int SEQUENCE = 384;
  private static final int HEAD = 8;

  private static Graph graph(int window) {
    AttentionShape shape = new AttentionShape(2, 1, HEAD, SEQUENCE, window);
    GraphBuilder b = new GraphBuilder();
    Value q = matrix(b, "q", 2 * HEAD);
    Value k = matrix(b, "k", HEAD);
    Value v = matrix(b, "v", HEAD);
    Value dO = matrix(b, "dO", 2 * HEAD);
    List<Value> forward = b.add(new Attention(shape, false), q, k, v);
    AttentionGradient back = new AttentionGradient(shape, false);
    List<Value> gradient = b.add(back, q, k, v, forward.get(0), forward.get(1), dO);
    b.output("o", forward.get(0));
    b.output("dq", gradient.get(0));
    b.output("dk", gradient.get(1));
    b.output("dv", gradient.get(2));
    return b.build();
  }

  private static Value matrix(GraphBuilder b, String name, int columns) {
    return b.variable(new Variable(name, ValueType.f32(SEQUENCE, columns), Role.INPUT));
  }

  private static Map<String, double[]> given() {
    SplittableRandom random = new SplittableRandom(SEED);
    Map<String, double[]> given = new HashMap<>();
    given.put("q", random.doubles(SEQUENCE * 2L * HEAD, -1, 1).toArray());
    given.put("k", random.doubles(SEQUENCE * (long) HEAD, -1, 1).toArray());
    given.put("v", random.doubles(SEQUENCE * (long) HEAD, -1, 1).toArray());
    given.put("dO", random.doubles(SEQUENCE * 2L * HEAD, -1, 1).toArray());
    return given;
  }

  private static Map<String, double[]> run(int window, Map<String, double[]> given) {
    return CpuRun.run(graph(window), given, 2, MatmulKind.JAVA);
  }

  /** A key that is multiplied with anything leaves its NaN there, also under a mask. */
  @Test
  void wholeBlocksBeforeTheWindowAreNotRead() {
    Map<String, double[]> clean = run(64, given());
    Map<String, double[]> spoilt = given();
    Arrays.fill(Contents.at(spoilt, "k"), 0, 192 * HEAD, Double.NaN);
    Arrays.fill(Contents.at(spoilt, "v"), 0, 192 * HEAD, Double.NaN);
    Map<String, double[]> found = run(64, spoilt);
    for (String name : List.of("o", "dq", "dk", "dv")) {
      double[] expected = Contents.at(clean, name);
      int from = expected.length / SEQUENCE * 256;
      assertThat(Arrays.copyOfRange(Contents.at(found, name), from, expected.length))
          .as("%s seed %d", name, SEED)
          .isEqualTo(Arrays.copyOfRange(expected, from, expected.length));
    }
    assertThat(Contents.at(found, "o")[200 * 2 * HEAD]).isNaN();
  }

  @Test
  void aWindowOfTheWholeSequenceHidesNothing() {
    Map<String, double[]> all = run(0, given());
    Map<String, double[]> wide = run(SEQUENCE, given());
    Map<String, double[]> shorter = run(SEQUENCE - 1, given());
    for (String name : List.of("o", "dq", "dk", "dv")) {
      assertThat(Contents.at(wide, name)).as(name).isEqualTo(Contents.at(all, name));
      assertThat(Contents.at(shorter, name)).as(name).isNotEqualTo(Contents.at(all, name));
    }
  }
}
