package dev.kindling.kernels.graph.op;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.CpuOptions;
import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.cases.OpCase;
import dev.kindling.kernels.cases.OpCases;
import dev.kindling.kernels.graph.Axis;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.memory.MemoryPlan;
import dev.kindling.kernels.testing.ThreadCommunicator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

class CollectiveTest {
  private static final ValueType MATRIX = ValueType.f32(10, 3);

  @Test
  void shardsArePiecesOfDimensionZero() {
    assertThat(new ReduceScatter(Axis.SHARD, 5).infer(List.of(MATRIX)))
        .containsExactly(ValueType.f32(2, 3));
    assertThat(new AllGather(Axis.SHARD, 5, false).infer(List.of(ValueType.f32(2, 3))))
        .containsExactly(MATRIX);
    assertThat(new AllToAll(Axis.EXPERT, 2).infer(List.of(ValueType.i32(4))))
        .containsExactly(ValueType.i32(4));
  }

  @Test
  void unevenShardsAreRefusedAndTheMendIsNamed() {
    for (Op op : List.of(new ReduceScatter(Axis.SHARD, 4), new AllToAll(Axis.SHARD, 4))) {
      assertThatThrownBy(() -> op.infer(List.of(MATRIX)))
          .isInstanceOf(PlanException.class)
          .hasMessageContaining("4 equal pieces")
          .hasMessageContaining("f32[10, 3]")
          .hasMessageContaining("pad it to 12");
    }
  }

  @Test
  void flatPiecesAreRunsOfAllElements() {
    Optional<Shape> whole = Optional.of(Shape.of(3, 10));
    assertThat(new ReduceScatter(Axis.DATA, 5, true).infer(List.of(ValueType.f32(3, 10))))
        .containsExactly(ValueType.f32(6));
    AllGather gather = new AllGather(Axis.DATA, 5, false, whole);
    assertThat(gather.infer(List.of(ValueType.f32(6)))).containsExactly(ValueType.f32(3, 10));
    assertThatThrownBy(() -> gather.infer(List.of(ValueType.f32(5))))
        .isInstanceOf(PlanException.class)
        .hasMessageContaining("expected f32[6], found f32[5]");
    assertThatThrownBy(() -> new ReduceScatter(Axis.DATA, 4, true).infer(List.of(MATRIX)))
        .isInstanceOf(PlanException.class)
        .hasMessageContaining("expected elements in 4 equal runs, found 30 of [10, 3]");
  }

  @Test
  void wrongTypesAreRefused() {
    ValueType integers = ValueType.i32(4);
    List<Op> sums =
        List.of(
            new AllReduce(Axis.DATA), new Reduce(Axis.DATA, 0), new ReduceScatter(Axis.DATA, 2));
    for (Op sum : sums) {
      assertThatThrownBy(() -> sum.infer(List.of(integers)))
          .isInstanceOf(PlanException.class)
          .hasMessageContaining("expected f32");
    }
    assertThatThrownBy(() -> new AllGather(Axis.DATA, 2, true).infer(List.of(MATRIX, MATRIX)))
        .isInstanceOf(PlanException.class)
        .hasMessageContaining("expected f32[20, 3], found f32[10, 3]");
    assertThatThrownBy(() -> new AllGather(Axis.DATA, 0, false)).isInstanceOf(PlanException.class);
    assertThatThrownBy(() -> new Broadcast(Axis.DATA, -1)).isInstanceOf(PlanException.class);
  }

  /** Partial sums are folded first: the exact mode's tree has one order. */
  @Test
  void partialSumsAndTheStepBlockAreNotExchanged() {
    GraphBuilder builder = new GraphBuilder();
    Value partial = builder.variable(new Variable("partial/0", MATRIX, Role.PARTIAL));
    Value gradient = builder.variable(new Variable("g", MATRIX, Role.GRADIENT));
    Value folded = builder.add(new Accumulate(), partial, gradient).get(0);
    builder.add(new ReduceScatter(Axis.DATA, 2), folded);
    assertThatThrownBy(builder::build)
        .isInstanceOf(PlanException.class)
        .hasMessageContaining("PARTIAL")
        .hasMessageContaining("partial/0");
    GraphBuilder other = new GraphBuilder();
    other.add(new Broadcast(Axis.DATA, 0), other.step());
    assertThatThrownBy(other::build).isInstanceOf(PlanException.class).hasMessageContaining("STEP");
    GraphBuilder right = new GraphBuilder();
    Value into = right.variable(new Variable("g", MATRIX, Role.GRADIENT));
    Value level = right.variable(new Variable("partial/0", MATRIX, Role.PARTIAL));
    right.add(new AllReduce(Axis.DATA), right.add(new Accumulate(), into, level).get(0));
    assertThat(right.build().nodes()).hasSize(2);
  }

  /** A rank that sends bf16 where another expects fp32 would hang or read past the end. */
  @Test
  void theFingerprintSeesWhatADeviceNarrows() {
    Set<String> fingerprints = new HashSet<>();
    for (Role role : List.of(Role.GRADIENT, Role.FRESH_GRADIENT)) {
      GraphBuilder builder = new GraphBuilder();
      Value gradient = builder.variable(new Variable("g", MATRIX, role));
      Value more = builder.variable(new Variable("more", MATRIX, Role.STATE));
      Value sum = builder.add(new Accumulate(), gradient, more).get(0);
      builder.add(new AllReduce(Axis.DATA), sum);
      fingerprints.add(builder.build().fingerprintOfCollectives());
    }
    assertThat(fingerprints).hasSize(2);
  }

  @Test
  void theFingerprintSeesEveryCollectiveAndAllItsConstants() {
    Set<String> fingerprints = new HashSet<>();
    List<Op> ops =
        List.of(
            new AllReduce(Axis.DATA),
            new AllReduce(Axis.SHARD),
            new AllReduce(Axis.DATA, false),
            new AllGather(Axis.DATA, 2, false),
            new AllGather(Axis.DATA, 5, false),
            new ReduceScatter(Axis.DATA, 2),
            new ReduceScatter(Axis.DATA, 5),
            new ReduceScatter(Axis.DATA, 2, true),
            new AllToAll(Axis.DATA, 2),
            new Broadcast(Axis.DATA, 0),
            new Broadcast(Axis.DATA, 1),
            new Reduce(Axis.DATA, 0));
    ops.forEach(op -> fingerprints.add(fingerprint(op, MATRIX)));
    ops.forEach(op -> fingerprints.add(fingerprint(op, ValueType.f32(20, 3))));
    fingerprints.add(fingerprint(new Fill(0), MATRIX));
    assertThat(fingerprints).hasSize(2 * ops.size() + 1);
    assertThat(fingerprint(new Fill(1), MATRIX)).isEqualTo(fingerprint(new Fill(0), MATRIX));
  }

  private static String fingerprint(Op op, ValueType type) {
    GraphBuilder builder = new GraphBuilder();
    builder.add(op, builder.variable(new Variable("x", type, Role.STATE)));
    return builder.build().fingerprintOfCollectives();
  }

  /** Sharded updates go straight into the parameter, without another block of its size. */
  @Test
  void gatheringIntoAVariableTakesNoMemory() {
    GraphBuilder builder = new GraphBuilder();
    Value shard = builder.variable(new Variable("shard", ValueType.f32(5, 3), Role.STATE));
    Variable whole = new Variable("w", MATRIX, Role.PARAMETER);
    Value gathered =
        builder.add(new AllGather(Axis.DATA, 2, true), shard, builder.variable(whole)).get(0);
    assertThat(builder.variable(whole)).isEqualTo(gathered);
    assertThat(MemoryPlan.of(builder.build()).totalBytes()).isZero();
  }

  @Test
  void aCommunicatorOfAnotherSizeIsRefused() {
    GraphBuilder builder = new GraphBuilder();
    Value x = builder.variable(new Variable("x", MATRIX, Role.STATE));
    builder.add(new ReduceScatter(Axis.DATA, 5), x);
    assertRefused(builder.build(), "expected a communicator of 5 ranks on axis DATA, found 1");
    GraphBuilder rooted = new GraphBuilder();
    Value y = rooted.variable(new Variable("x", MATRIX, Role.STATE));
    rooted.add(new Broadcast(Axis.DATA, 1), y);
    assertRefused(rooted.build(), "expected more than 1 ranks on axis DATA, found 1");
  }

  private static void assertRefused(Graph graph, String message) {
    try (Backend backend = Backend.cpu(new CpuOptions(1, MatmulKind.JAVA));
        Memory memory = backend.allocate(graph.variables())) {
      var alone = Map.of(Axis.DATA, ThreadCommunicator.create(1).get(0));
      assertThatThrownBy(() -> backend.compile(graph, memory, Map.copyOf(alone)))
          .isInstanceOf(PlanException.class)
          .hasMessageContaining(message);
    }
  }

  @Test
  void sentBytesAreThoseOfTheTextbook() {
    List<ValueType> whole = List.of(ValueType.f32(8, 3));
    assertThat(new AllReduce(Axis.DATA).sentBytes(whole, 4)).isEqualTo(2 * 3 * 24);
    assertThat(new ReduceScatter(Axis.DATA, 4).sentBytes(whole, 4)).isEqualTo(3 * 24);
    assertThat(new AllToAll(Axis.DATA, 4).sentBytes(whole, 4)).isEqualTo(3 * 24);
    assertThat(new Broadcast(Axis.DATA, 0).sentBytes(whole, 4)).isEqualTo(3 * 24);
    assertThat(new AllGather(Axis.DATA, 4, false).sentBytes(List.of(ValueType.f32(2, 3)), 4))
        .isEqualTo(3 * 24);
    for (OpCase line : OpCases.all()) {
      if (line.op() instanceof Collective collective) {
        assertThat(collective.sentBytes(line.types(), 1)).as(line.name()).isZero();
      }
    }
  }
}
