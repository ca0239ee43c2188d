package dev.kindling.kernels.backend.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.kernels.backend.InputException;
import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.graph.AttentionShape;
import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.CachedAttention;
import dev.kindling.kernels.graph.op.CrossEntropy;
import dev.kindling.kernels.graph.op.WriteRows;
import dev.kindling.kernels.random.Philox;
import dev.kindling.kernels.testing.Contents;
import dev.kindling.kernels.testing.CpuRun;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

class CachedAttentionCpuTest {
  private static final int LENGTH = 21;
  private static final AttentionShape SHAPE = new AttentionShape(6, 2, 8, LENGTH);
  private static final int WIDTH = 48;
  private static final int KEY_WIDTH = 16;

  private static double[] normal(long key, int count) {
    double[] values = new double[count];
    Arrays.setAll(values, i -> (float) Philox.normal(key, i));
    return values;
  }

  /** Two sequences of 13 and 21 tokens, whose keys come by other roads into the same attention. */
  @Test
  void theNewestTokenOfEachSequenceSeesWhatAttentionShowsIt() {
    GraphBuilder b = new GraphBuilder();
    Value q = b.input("q", Shape.of(2 * LENGTH, WIDTH), DType.F32);
    Value k = b.input("k", Shape.of(2 * LENGTH, KEY_WIDTH), DType.F32);
    Value v = b.input("v", Shape.of(2 * LENGTH, KEY_WIDTH), DType.F32);
    b.output("whole", b.attention(q, k, v, null, SHAPE));
    b.output(
        "last",
        b.add(
                new CachedAttention(SHAPE),
                b.embedding(q, b.input("newest", Shape.of(2), DType.I32)),
                cached(b, "keys", k),
                cached(b, "values", v),
                b.input("lengths", Shape.of(2), DType.I32))
            .get(0));
    Map<String, double[]> given = new HashMap<>();
    given.put("q", normal(1, 2 * LENGTH * WIDTH));
    given.put("k", normal(2, 2 * LENGTH * KEY_WIDTH));
    given.put("v", normal(3, 2 * LENGTH * KEY_WIDTH));
    double[] places = new double[2 * LENGTH];
    Arrays.setAll(places, i -> i >= 13 && i < LENGTH ? CrossEntropy.IGNORED : i);
    given.put("places", places);
    given.put("newest", new double[] {12, LENGTH + 20});
    given.put("lengths", new double[] {13, 21});
    Graph graph = b.build();
    for (MatmulKind kind : MatmulKind.values()) {
      Map<String, double[]> after = CpuRun.run(graph, given, 2, kind);
      double[] whole = Contents.at(after, "whole");
      double[] last = Contents.at(after, "last");
      for (int i = 0; i < WIDTH; i++) {
        assertThat(last[i]).isEqualTo(whole[12 * WIDTH + i], within(1e-6));
        assertThat(last[WIDTH + i]).isEqualTo(whole[(LENGTH + 20) * WIDTH + i], within(1e-6));
      }
      assertThat(Contents.at(after, "cache/keys")).as("left out").contains(0.0);
    }
  }

  private static Value cached(GraphBuilder b, String name, Value x) {
    Variable cache =
        new Variable("cache/" + name, ValueType.f32(2 * LENGTH, KEY_WIDTH), Role.STATE);
    Value places = b.input("places", Shape.of(2 * LENGTH), DType.I32);
    return b.add(new WriteRows(), x, b.variable(cache), places).get(0);
  }

  private static void refused(Graph graph, String input, double[] numbers, String message) {
    assertThatThrownBy(() -> CpuRun.run(graph, Map.of(input, numbers), 1, MatmulKind.JAVA))
        .isInstanceOf(InputException.class)
        .hasMessage(message);
  }

  @Test
  void numbersOutsideTheCacheAreNamed() {
    GraphBuilder b = new GraphBuilder();
    Value table = b.variable(new Variable("table", ValueType.f32(8, 4), Role.STATE));
    Value x = b.input("x", Shape.of(3, 4), DType.F32);
    b.add(new WriteRows(), x, table, b.input("places", Shape.of(3), DType.I32));
    refused(
        b.build(),
        "places",
        new double[] {0, CrossEntropy.IGNORED, 8},
        "WriteRows: place of token 2: expected 0 to 7, found 8");
    b = new GraphBuilder();
    Value q = b.input("q", Shape.of(2, 4), DType.F32);
    Value cache = b.input("cache", Shape.of(8, 4), DType.F32);
    Value lengths = b.input("lengths", Shape.of(2), DType.I32);
    AttentionShape shape = new AttentionShape(2, 2, 2, 4);
    b.output("o", b.add(new CachedAttention(shape), q, cache, cache, lengths).get(0));
    refused(
        b.build(),
        "lengths",
        new double[] {4, 5},
        "CachedAttention: length of sequence 1: expected 0 to 4, found 5");
  }

  @Test
  void positionsWithALimitMayLieBeyondTheTokensOfTheNode() {
    GraphBuilder b = new GraphBuilder();
    Value x = b.input("x", Shape.of(2, 4), DType.F32);
    b.output("y", b.rope(x, b.positions("positions", 2, 9), 4, 100));
    Map<String, double[]> given = Map.of("x", normal(4, 8), "positions", new double[] {8, 3});
    assertThat(Contents.at(CpuRun.run(b.build(), given, 1, MatmulKind.JAVA), "y"))
        .isNotEqualTo(normal(4, 8));
    refused(
        b.build(),
        "positions",
        new double[] {0, 9},
        "Rope: position of token 1: expected 0 to 8, found 9");
  }
}
