package dev.kindling.kernels.graph.rewrite;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.kernels.backend.cuda.layout.Group;
import dev.kindling.kernels.backend.cuda.layout.GroupRules;
import dev.kindling.kernels.backend.cuda.layout.Layout;
import dev.kindling.kernels.backend.cuda.layout.LayoutCheck;
import dev.kindling.kernels.backend.cuda.layout.Precision;
import dev.kindling.kernels.backend.cuda.layout.Timetable;
import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.graph.Demand;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Init;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.Linear;
import dev.kindling.kernels.graph.op.Mezo;
import dev.kindling.kernels.graph.op.Upload;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

class UploadsAheadTest {
  private static final int WEIGHTS = 5;

  /** Products in a row, then updates of their weights. */
  private static Graph chain(int batch) {
    GraphBuilder b = new GraphBuilder();
    Value x = b.gelu(b.variable(new Variable("in", ValueType.f32(4, 16), Role.INPUT)));
    Set<Integer> weights = new HashSet<>();
    List<Param> params = new ArrayList<>();
    for (int i = 0; i < WEIGHTS; i++) {
      Param param = new Param("w" + i, Shape.of(16, 16), Demand.whole(), Init.zeros(), true);
      params.add(param);
      Value weight = b.master(param);
      weights.add(weight.id());
      x = b.linear(x, weight);
    }
    b.output("y", x);
    Value slopes = b.input("slopes", Shape.of(1), DType.F32);
    for (Param param : params) {
      Mezo op = new Mezo(3, 1, 0, false, Optional.of(5L));
      b.add(op, b.master(param), slopes, slopes, b.step());
    }
    b.rewrite(new UploadsAhead(weights, batch));
    return b.build();
  }

  /** u1 = the second weight is uploaded, x1 = it is read, m1 = it is moved. */
  private static List<String> story(Graph graph) {
    Map<Integer, String> names = new HashMap<>();
    graph.contents().forEach((id, variable) -> names.put(id, variable.name().replace("w", "")));
    List<String> story = new ArrayList<>();
    for (Node node : graph.nodes()) {
      if (node.op() instanceof Upload) {
        names.put(node.output(0).id(), names.get(node.input(0).id()));
        story.add("u" + names.get(node.input(0).id()));
      } else if (node.op() instanceof Linear) {
        story.add("x" + names.get(node.input(1).id()));
      } else if (node.op() instanceof Mezo) {
        story.add("m" + names.get(node.input(0).id()));
      }
    }
    return story;
  }

  @Test
  void eachBatchStandsBeforeTheFirstUseOfTheOneBeforeAndUpdatesStayWhereTheWeightsLie() {
    assertThat(story(chain(1)))
        .containsExactly(
            "u0", "u1", "x0", "u2", "x1", "u3", "x2", "u4", "x3", "x4", "m0", "m1", "m2", "m3",
            "m4");
    assertThat(story(chain(2)))
        .containsExactly(
            "u0", "u1", "u2", "u3", "x0", "x1", "u4", "x2", "x3", "x4", "m0", "m1", "m2", "m3",
            "m4");
  }

  /** The lane copies while the product before it runs, and every copy is waited for. */
  @Test
  void aDeviceBeginsTheNextCopyBeforeItReadsTheLastOne() {
    Graph graph = chain(1);
    Layout layout = Layout.of(graph, Precision.BF16, GroupRules.ALL);
    LayoutCheck.check(graph, layout);
    List<String> lines = new ArrayList<>();
    for (Timetable.Entry entry : layout.timetable().entries()) {
      Group group = layout.groups().get(entry.last());
      boolean product = group.last().op() instanceof Linear;
      if (entry.what() != Timetable.What.RUN || product) {
        lines.add(product ? "x" : entry.what() == Timetable.What.ISSUE ? "issue" : "join");
      }
    }
    assertThat(lines)
        .containsExactly(
            "issue", "issue", "join", "x", "issue", "join", "x", "issue", "join", "x", "issue",
            "join", "x", "join", "x");
  }

  @Test
  void anEmptyBatchIsRefused() {
    assertThatThrownBy(() -> new UploadsAhead(Set.of(), 0)).isInstanceOf(PlanException.class);
  }
}
