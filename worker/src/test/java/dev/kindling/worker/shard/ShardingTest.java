package dev.kindling.worker.shard;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.kernels.graph.Demand;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Init;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.AllGather;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ShardingTest {
  private static final Param MATRIX = param("m", Demand.whole(), 5, 6);

  private static Param param(String name, Demand demand, int... dims) {
    return new Param(name, Shape.of(dims), demand, Init.zeros(), true);
  }

  @Test
  void trainedMatricesWhoseElementsDivideAreSharded() {
    Sharding three = new Sharding(1, 3);
    assertThat(three.shards(MATRIX)).isTrue();
    // 30 elements in 4 runs; a vector; a frozen matrix; one of which columns are trained.
    assertThat(new Sharding(1, 4).shards(MATRIX)).isFalse();
    assertThat(three.shards(param("gain", Demand.whole(), 6))).isFalse();
    assertThat(three.shards(param("frozen", Demand.none(), 5, 6))).isFalse();
    assertThat(three.shards(param("some", Demand.columns(1, 2), 5, 6))).isFalse();
    assertThat(new Sharding(0, 3).shards(MATRIX)).isFalse();
    assertThat(new Sharding(3, 1).shards(MATRIX)).isFalse();
  }

  @Test
  void piecesOfAllRanksCoverATensorOnce() {
    Sharding sharding = new Sharding(2, 3);
    Variable master = sharding.master(MATRIX);
    assertThat(master.name()).isEqualTo("m");
    assertThat(master.role()).isEqualTo(Role.SHARD);
    long next = 0;
    for (int rank = 0; rank < 3; rank++) {
      Held held = sharding.held(MATRIX, master, rank);
      assertThat(held.from()).isEqualTo(next);
      assertThat(held.isWhole()).isFalse();
      assertThat(held.whole()).isEqualTo(MATRIX.shape());
      next += held.elements();
    }
    assertThat(next).isEqualTo(30);
    Param gain = param("gain", Demand.whole(), 6);
    assertThat(sharding.held(gain, gain.variable(), 2))
        .isEqualTo(new Held("gain", Shape.of(6), 0, 6));
    assertThatThrownBy(() -> new Held("m", Shape.of(5, 6), 20, 11))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("m: expected a run inside [5, 6], found 11 from 20");
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3})
  void aModelReadsTheWholeMatrixInEveryStage(int stage) {
    Sharding sharding = new Sharding(stage, 2);
    ParameterPlaces places = sharding.places();
    GraphBuilder b = new GraphBuilder(places);
    Value read = b.param(MATRIX);
    assertThat(read.shape()).isEqualTo(MATRIX.shape());
    assertThat(b.params()).containsExactly(MATRIX);
    Value x = b.variable(new Variable("x", ValueType.f32(4, 6), Role.INPUT));
    b.output("y", b.linear(x, read));
    places.settle(b, 1);
    boolean gathers = b.nodes().stream().anyMatch(node -> node.op() instanceof AllGather);
    assertThat(gathers).isEqualTo(stage == 3);
    List<Variable> working =
        b.graph().variables().stream().filter(v -> v.role() == Role.WORKING).toList();
    assertThat(working).hasSize(stage == 3 ? 0 : 1);
  }

  @Test
  void unknownStagesAreRefused() {
    assertThatThrownBy(() -> new Sharding(4, 2))
        .isInstanceOf(PlanException.class)
        .hasMessageContaining("mesh.zero: expected 0 to 3 over at least one rank, found 4 over 2");
    assertThatThrownBy(() -> new Sharding(1, 0)).isInstanceOf(PlanException.class);
  }
}
