package dev.kindling.kernels.graph.rewrite;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.op.Accumulate;
import dev.kindling.kernels.graph.op.ReduceScatter;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class AccumulateLateTest {
  /** Scatters and sums of weight gradients, in order. */
  private static List<String> story(int behind) {
    GatheredChain chain = new GatheredChain(3, true);
    if (behind > 0) {
      chain.builder.rewrite(new AccumulateLate(behind));
    }
    List<String> words = new ArrayList<>();
    List<Integer> scattered = new ArrayList<>();
    for (Node node : chain.builder.nodes()) {
      if (node.op() instanceof ReduceScatter) {
        words.add("r" + scattered.size());
        scattered.add(node.output(0).id());
      } else if (node.op() instanceof Accumulate && scattered.contains(node.input(1).id())) {
        words.add("s" + scattered.indexOf(node.input(1).id()));
      }
    }
    return words;
  }

  @Test
  void sumsStandSoManyScattersLater() {
    assertThat(story(0)).containsExactly("r0", "s0", "r1", "s1", "r2", "s2");
    assertThat(story(1)).containsExactly("r0", "s0", "r1", "s1", "r2", "s2");
    assertThat(story(2)).containsExactly("r0", "r1", "s0", "r2", "s1", "s2");
    assertThat(story(9)).containsExactly("r0", "r1", "r2", "s0", "s1", "s2");
  }

  @Test
  void noneUnderWayIsRefused() {
    assertThatThrownBy(() -> new AccumulateLate(0)).isInstanceOf(PlanException.class);
  }

  @Test
  void theSumsOfOneVariableKeepTheirOrder() {
    GatheredChain chain = new GatheredChain(3, true);
    List<Node> before = chain.builder.nodes();
    chain.builder.rewrite(new AccumulateLate(2));
    assertThat(chain.builder.nodes()).hasSameSizeAs(before);
    assertThat(
            chain.builder.nodes().stream()
                .filter(node -> node.op() instanceof Accumulate)
                .map(node -> node.output(0)))
        .containsExactlyElementsOf(
            before.stream()
                .filter(node -> node.op() instanceof Accumulate)
                .map(node -> node.output(0))
                .toList());
  }
}
