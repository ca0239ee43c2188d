package dev.kindling.kernels.graph.rewrite;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.backend.cuda.layout.GroupRules;
import dev.kindling.kernels.backend.cuda.layout.Layout;
import dev.kindling.kernels.backend.cuda.layout.LayoutCheck;
import dev.kindling.kernels.backend.cuda.layout.Precision;
import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.graph.Demand;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.LossValues;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.CrossEntropyWithGradient;
import dev.kindling.kernels.graph.op.Op;
import dev.kindling.kernels.graph.op.SliceRows;
import dev.kindling.kernels.memory.MemoryPlan;
import dev.kindling.kernels.testing.CpuRun;
import dev.kindling.kernels.testing.Rewritten;
import dev.kindling.kernels.testing.TinyModels;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ChunkLossTest {
  /** A vocabulary that no vector divides; a fifth of the targets does not count. */
  private static final TinyModels MODELS = new TinyModels(64, 32, 16, 401, true);

  private static List<Graph> graphs() {
    return List.of(
        MODELS.llama(name -> Demand.whole()),
        MODELS.gpt2(name -> Demand.whole()),
        MODELS.llama(name -> name.equals("wte") ? Demand.none() : Demand.whole()),
        MODELS.llama(name -> name.equals("wte") ? Demand.whole() : Demand.none()));
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 7, 8, 64})
  void lossAndGradientsEqualThoseOfTheWholeUpToFp32Rounding(int chunks) {
    for (Graph graph : graphs()) {
      for (MatmulKind kind : MatmulKind.values()) {
        Map<String, double[]> given = MODELS.contents(graph, 3);
        Map<String, double[]> expected = CpuRun.run(graph, given, 1, kind);
        Graph chunked = Rewritten.of(graph, new ChunkLoss(chunks));
        Map<String, double[]> found = CpuRun.run(chunked, given, 1, kind);
        assertThat(count(chunked, CrossEntropyWithGradient.class)).isEqualTo(pieces(64, chunks));
        expected.forEach((name, content) -> assertClose(name, found.get(name), content));
        assertThat(found.get("token_count")).isEqualTo(expected.get("token_count"));
      }
    }
  }

  private static int pieces(int rows, int chunks) {
    int each = (rows + chunks - 1) / chunks;
    return (rows + each - 1) / each;
  }

  /** As many roundings as a sum over 64 tokens has, in the worst order. */
  private static void assertClose(String name, double[] found, double[] expected) {
    double norm = 0;
    double error = 0;
    for (int i = 0; i < expected.length; i++) {
      norm += expected[i] * expected[i];
      error += (found[i] - expected[i]) * (found[i] - expected[i]);
    }
    assertThat(Math.sqrt(error)).as(name).isCloseTo(0, within(64 * 0x1.0p-24 * Math.sqrt(norm)));
  }

  @Test
  void everyRowBelowTheHeadKeepsItsBitsInPureJava() {
    Graph graph = MODELS.llama(name -> name.equals("wte") ? Demand.none() : Demand.whole());
    Map<String, double[]> given = MODELS.contents(graph, 5);
    Map<String, double[]> expected = CpuRun.run(graph, given, 1, MatmulKind.JAVA);
    Graph chunked = Rewritten.of(graph, new ChunkLoss(5));
    Map<String, double[]> found = CpuRun.run(chunked, given, 1, MatmulKind.JAVA);
    graph.params().stream()
        .filter(param -> !param.name().equals("wte"))
        .map(param -> "grad/" + param.name())
        .forEach(name -> assertThat(found.get(name)).as(name).isEqualTo(expected.get(name)));
  }

  @Test
  void memoryHoldsTheLogitsOfOneChunk() {
    Graph graph = MODELS.llama(name -> Demand.whole());
    long whole = MemoryPlan.of(graph).totalBytes();
    long chunked = MemoryPlan.of(Rewritten.of(graph, new ChunkLoss(8))).totalBytes();
    long logits = 64L * 401 * 4;
    assertThat(whole - chunked).isGreaterThan(logits * 6 / 8);
  }

  @ParameterizedTest
  @ValueSource(ints = {2, 3, 8})
  void layoutsComputeTheChunks(int chunks) {
    for (Graph graph : graphs()) {
      Graph chunked = Rewritten.of(graph, new ChunkLoss(chunks));
      for (Graph each :
          List.of(chunked, Rewritten.of(chunked, new Recompute(Recompute.Level.BLOCKS)))) {
        for (Precision precision : Precision.values()) {
          LayoutCheck.check(each, Layout.of(each, precision, GroupRules.ALL));
          LayoutCheck.check(each, Layout.of(each, precision, GroupRules.NONE));
        }
      }
    }
  }

  @Test
  void aLossWithoutGradientIsCutToo() {
    GraphBuilder builder = new GraphBuilder();
    LossValues loss = loss(builder, 0);
    builder.rewrite(new ChunkLoss(4));
    builder.output("loss", loss.lossSum());
    builder.output("count", loss.tokenCount());
    assertThat(count(builder.build(), SliceRows.class)).isEqualTo(2 * 4);
  }

  @Test
  void manyRowsAreCutIntoWholeTiles() {
    GraphBuilder builder = new GraphBuilder();
    Value x = builder.variable(new Variable("x", ValueType.f32(1000, 4), Role.INPUT));
    Value w = builder.variable(new Variable("w", ValueType.f32(8, 4), Role.PARAMETER));
    builder.crossEntropy(builder.linear(x, w), builder.input("t", Shape.of(1000), DType.I32));
    builder.rewrite(new ChunkLoss(3));
    assertThat(
            builder.nodes().stream().map(Node::op).filter(SliceRows.class::isInstance).distinct())
        .containsExactly(new SliceRows(0, 384), new SliceRows(384, 384), new SliceRows(768, 232));
  }

  @Test
  void doesNotFireWhenTheLogitsArePublishedOrTheHeadHasABias() {
    GraphBuilder published = new GraphBuilder();
    loss(published, 0);
    published.output("logits", published.nodes().get(0).output(0));
    GraphBuilder biased = new GraphBuilder();
    loss(biased, 8);
    for (GraphBuilder builder : List.of(published, biased)) {
      List<Node> before = builder.nodes();
      builder.rewrite(new ChunkLoss(4));
      assertThat(builder.nodes()).isEqualTo(before);
    }
  }

  @Test
  void noChunkAtAllIsRefused() {
    assertThatThrownBy(() -> new ChunkLoss(0))
        .isInstanceOf(PlanException.class)
        .hasMessageContaining("expected at least 1, found 0");
  }

  private static LossValues loss(GraphBuilder builder, int bias) {
    Value x = builder.variable(new Variable("x", ValueType.f32(16, 4), Role.INPUT));
    Value w = builder.variable(new Variable("w", ValueType.f32(8, 4), Role.PARAMETER));
    Value targets = builder.input("t", Shape.of(16), DType.I32);
    if (bias == 0) {
      return builder.crossEntropy(builder.linear(x, w), targets);
    }
    Value b = builder.variable(new Variable("b", ValueType.f32(bias), Role.PARAMETER));
    return builder.crossEntropy(builder.linear(x, w, b), targets);
  }

  private static long count(Graph graph, Class<? extends Op> op) {
    return graph.nodes().stream().filter(node -> op.isInstance(node.op())).count();
  }
}
