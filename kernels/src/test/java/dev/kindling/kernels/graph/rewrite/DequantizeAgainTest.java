package dev.kindling.kernels.graph.rewrite;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.kernels.autodiff.Autodiff;
import dev.kindling.kernels.graph.Columns;
import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.graph.Demand;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Init;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.DequantizeNf4;
import dev.kindling.kernels.graph.op.Linear;
import dev.kindling.kernels.graph.op.LinearInputGradient;
import dev.kindling.kernels.graph.op.Nf4;
import dev.kindling.kernels.graph.op.ScatterColumns;
import dev.kindling.kernels.graph.op.WeightLayout;
import dev.kindling.kernels.memory.MemoryPlan;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class DequantizeAgainTest {
  private static final int WIDTH = 64;
  private static final int TOKENS = 4;
  private static final long MATRIX = (long) WIDTH * WIDTH * Float.BYTES;

  /** x times w0, w1 ... from a trained x on, and a loss. */
  private static GraphBuilder chain(int weights, boolean columns) {
    GraphBuilder b = new GraphBuilder();
    Shape start = Shape.of(TOKENS, WIDTH);
    Value x = b.param(new Param("x", start, Demand.whole(), Init.zeros(), true));
    for (int i = 0; i < weights; i++) {
      Value w = packed(b, "w" + i);
      if (columns) {
        Columns some = new Columns(List.of(5, 2));
        Shape narrow = Shape.of(WIDTH, 2);
        Value base = b.param(new Param("b" + i, narrow, Demand.none(), Init.zeros(), true));
        Value delta = b.param(new Param("d" + i, narrow, Demand.whole(), Init.zeros(), true));
        w = b.add(new ScatterColumns(WeightLayout.OUT_IN, some, 1), base, delta, w).get(0);
      }
      x = b.linear(x, w);
    }
    Value targets = b.input("targets", Shape.of(TOKENS), DType.I32);
    Autodiff.gradients(b, b.crossEntropy(x, targets).lossSum());
    return b;
  }

  private static Value packed(GraphBuilder b, String name) {
    Shape shape = Shape.of(WIDTH, WIDTH);
    return b.add(
            new DequantizeNf4(shape),
            frozen(b, name + ".codes", Nf4.codes(shape.elements())),
            frozen(b, name + ".scales", Nf4.scales(shape.elements())),
            frozen(b, name + ".statistics", Nf4.statistics(shape.elements())))
        .get(0);
  }

  private static Value frozen(GraphBuilder b, String name, ValueType type) {
    return b.variable(new Variable(name, type, Role.FROZEN));
  }

  /** Unpackings, columns written over them, and products, in order. */
  private static List<String> story(GraphBuilder b) {
    Map<Integer, String> names = new HashMap<>();
    b.graph()
        .contents()
        .forEach((id, variable) -> names.put(id, variable.name().split("\\.", -1)[0]));
    List<String> story = new ArrayList<>();
    for (Node node : b.nodes()) {
      String name = "";
      if (node.op() instanceof DequantizeNf4) {
        name = names.get(node.input(0).id());
        story.add("unpack " + name);
      } else if (node.op() instanceof ScatterColumns) {
        name = names.get(node.input(2).id());
        story.add("columns " + name);
      } else if (node.op() instanceof Linear || node.op() instanceof LinearInputGradient) {
        story.add("use " + names.get(node.input(1).id()));
      }
      names.put(node.output(0).id(), name);
    }
    return story;
  }

  @Test
  void backwardUnpacksAgainButForTheLastMatrix() {
    GraphBuilder b = chain(2, false);
    assertThat(story(b))
        .containsExactly("unpack w0", "use w0", "unpack w1", "use w1", "use w1", "use w0");
    b.rewrite(new DequantizeAgain());
    assertThat(story(b))
        .containsExactly(
            "unpack w0", "use w0", "unpack w1", "use w1", "use w1", "unpack w0", "use w0");
  }

  @Test
  void columnsAreWrittenOverEachTime() {
    GraphBuilder b = chain(2, true);
    b.rewrite(new DequantizeAgain());
    List<String> once = List.of("unpack w0", "columns w0", "use w0");
    assertThat(story(b)).startsWith("unpack w0", "columns w0", "use w0", "unpack w1");
    assertThat(story(b).subList(7, 10)).isEqualTo(once);
  }

  @Test
  void thePeakDoesNotGrowWithTheNumberOfMatrices() {
    for (boolean columns : new boolean[] {false, true}) {
      GraphBuilder kept = chain(12, columns);
      GraphBuilder again = chain(12, columns);
      again.rewrite(new DequantizeAgain());
      assertThat(MemoryPlan.of(kept.build()).totalBytes()).isGreaterThan(11 * MATRIX);
      // Inputs and gradients of 4 tokens are an eighth of a matrix each.
      assertThat(MemoryPlan.of(again.build()).totalBytes()).isLessThan(3 * MATRIX);
    }
  }

  @Test
  void doesNotFireWithoutPackedMatrices() {
    GraphBuilder b = new GraphBuilder();
    Value x = frozen(b, "x", ValueType.f32(2, 3));
    b.linear(x, frozen(b, "w", ValueType.f32(4, 3)));
    List<Node> before = b.nodes();
    b.rewrite(new DequantizeAgain());
    assertThat(b.nodes()).isEqualTo(before);
  }
}
