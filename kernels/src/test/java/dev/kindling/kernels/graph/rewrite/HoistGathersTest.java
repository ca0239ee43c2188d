package dev.kindling.kernels.graph.rewrite;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.ReduceScatter;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

class HoistGathersTest {
  @Test
  void readersReadTheKeptCopyAndGradientsAreStillScattered() {
    GatheredChain chain = new GatheredChain(3, true);
    Map<Integer, Value> kept = new HashMap<>();
    chain.gathered.forEach(
        (whole, name) ->
            kept.put(
                whole.id(),
                chain.builder.variable(
                    new Variable("working/" + name, whole.type(), Role.WORKING))));
    chain.builder.rewrite(new HoistGathers(kept));
    assertThat(chain.story()).isEmpty();
    for (Value working : kept.values()) {
      assertThat(chain.builder.nodes()).anyMatch(node -> node.inputs().contains(working));
    }
    long scatters =
        chain.builder.nodes().stream()
            .map(Node::op)
            .filter(ReduceScatter.class::isInstance)
            .count();
    assertThat(scatters).isEqualTo(3);
  }

  @Test
  void otherGathersStay() {
    GatheredChain chain = new GatheredChain(2, true);
    chain.builder.rewrite(new HoistGathers(Map.of()));
    assertThat(chain.story()).containsExactly("g0", "u0", "g1", "u1", "u1");
  }
}
