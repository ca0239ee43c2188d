package dev.kindling.kernels.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.kernels.backend.cuda.layout.Element;
import dev.kindling.kernels.graph.Axis;
import dev.kindling.kernels.graph.op.AllGather;
import dev.kindling.kernels.graph.op.AllReduce;
import dev.kindling.kernels.graph.op.AllToAll;
import dev.kindling.kernels.graph.op.Broadcast;
import dev.kindling.kernels.graph.op.Op;
import dev.kindling.kernels.graph.op.Reduce;
import dev.kindling.kernels.graph.op.ReduceScatter;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class ConvoyTest {
  private final FakeDevices world = new FakeDevices(3);

  /** Rank r holds 10 r, 10 r + 1, ... at address 0. */
  private void fill(int count, Element element) {
    for (int rank = 0; rank < 3; rank++) {
      world.rank(rank).fill(0, count, element, 10 * rank);
    }
  }

  private void run(Op op, Stretch... stretches) {
    for (int rank = 0; rank < 3; rank++) {
      FakeDevices.Rank each = world.rank(rank);
      CollectiveCalls calls = new CollectiveCalls(op, List.of(stretches), each, FakeDevices.STREAM);
      new Convoy(each, List.of(calls)).issue();
    }
    world.run();
  }

  private List<String> log() {
    assertThat(world.rank(1).log).isEqualTo(world.rank(0).log);
    return world.rank(0).log;
  }

  @ParameterizedTest
  @EnumSource(names = {"F32", "BF16"})
  void sumsGoToEveryRankOrToItsOwner(Element element) {
    fill(6, element);
    run(new AllReduce(Axis.DATA, false), new Stretch(0, 1024, 6, element));
    run(new Reduce(Axis.DATA, 1), new Stretch(0, 2048, 6, element));
    run(new ReduceScatter(Axis.DATA, 3), new Stretch(0, 4096, 6, element));
    for (int rank = 0; rank < 3; rank++) {
      FakeDevices.Rank each = world.rank(rank);
      assertThat(each.read(1024, 6, element)).containsExactly(30, 33, 36, 39, 42, 45);
      assertThat(each.read(2048, 6, element)).containsExactly(30, 33, 36, 39, 42, 45);
      assertThat(each.read(4096, 2, element)).containsExactly(30 + 6 * rank, 33 + 6 * rank);
    }
    assertThat(log()).containsExactly("allReduce 6", "allReduce 6", "reduceScatter 2");
  }

  @ParameterizedTest
  @EnumSource(names = {"F32", "BF16"})
  void piecesGoWhereTheyBelong(Element element) {
    fill(3, element);
    run(new AllGather(Axis.DATA, 3, false), new Stretch(0, 1024, 2, element));
    run(new AllToAll(Axis.DATA, 3), new Stretch(0, 2048, 3, element));
    run(new Broadcast(Axis.DATA, 2), new Stretch(0, 4096, 3, element));
    for (int rank = 0; rank < 3; rank++) {
      FakeDevices.Rank each = world.rank(rank);
      assertThat(each.read(1024, 6, element)).containsExactly(0, 1, 10, 11, 20, 21);
      assertThat(each.read(2048, 3, element)).containsExactly(rank, 10 + rank, 20 + rank);
      assertThat(each.read(4096, 3, element)).containsExactly(20, 21, 22);
    }
    assertThat(log()).containsExactly("allGather 2", "allToAll 1", "broadcast from 2 3");
  }

  /** How a piece that was converted into its place of the whole is gathered. */
  @Test
  void aPieceMayBeGatheredFromItsOwnPlace() {
    for (int rank = 0; rank < 3; rank++) {
      FakeDevices.Rank each = world.rank(rank);
      each.fill(512 + rank * 4, 2, Element.BF16, rank);
      CollectiveCalls calls =
          new CollectiveCalls(
              new AllGather(Axis.DATA, 3, true),
              List.of(new Stretch(512 + rank * 4, 512, 2, Element.BF16)),
              each,
              FakeDevices.STREAM);
      new Convoy(each, List.of(calls)).issue();
    }
    world.run();
    assertThat(world.rank(1).read(512, 6, Element.BF16)).containsExactly(0, 1, 1, 2, 2, 3);
  }

  @Test
  void neighboursBecomeOneCallAndTheRestOneGroup() {
    fill(64, Element.F32);
    // 5 elements are padded to 64 bytes; the second begins there, the third does not.
    run(
        new AllReduce(Axis.DATA),
        new Stretch(0, 0, 5, Element.F32),
        new Stretch(64, 64, 16, Element.F32),
        new Stretch(192, 192, 4, Element.F32));
    assertThat(log()).containsExactly("begin", "allReduce 32", "allReduce 4", "end");
    assertThat(world.rank(2).read(64, 2, Element.F32)).containsExactly(78, 81);
    assertThat(world.rank(2).read(128, 2, Element.F32)).containsExactly(52, 53);
    assertThat(world.rank(2).read(192, 1, Element.F32)).containsExactly(174);
  }

  @Test
  void arenasOfTwoElementTypesThatTakeTurnsAreTwoCalls() {
    List<Stretch> merged =
        Stretch.merge(
            List.of(
                new Stretch(0, 0, 64, Element.BF16),
                new Stretch(4096, 4096, 16, Element.F32),
                new Stretch(128, 128, 32, Element.BF16),
                new Stretch(4160, 4160, 1, Element.F32)));
    assertThat(merged)
        .containsExactly(
            new Stretch(0, 0, 96, Element.BF16), new Stretch(4096, 4096, 17, Element.F32));
  }

  @Test
  void neighboursOnOneSideOnlyAndOtherTypesStayApart() {
    List<Stretch> merged =
        Stretch.merge(
            List.of(
                new Stretch(0, 0, 16, Element.F32),
                new Stretch(64, 128, 16, Element.F32),
                new Stretch(128, 192, 16, Element.BF16)));
    assertThat(merged).hasSize(3);
  }

  @Test
  void collectivesThatStartTogetherAreOneGroup() {
    fill(8, Element.F32);
    for (int rank = 0; rank < 3; rank++) {
      FakeDevices.Rank each = world.rank(rank);
      List<CollectiveCalls> members = new ArrayList<>();
      members.add(calls(new AllReduce(Axis.DATA, false), each, 1024, 4));
      members.add(calls(new ReduceScatter(Axis.DATA, 3), each, 2048, 6));
      Convoy convoy = new Convoy(each, members);
      assertThat(convoy.sentBytes()).isEqualTo(2 * 16 * 2 / 3 + 24 * 2 / 3);
      convoy.issue();
    }
    world.run();
    assertThat(log()).containsExactly("begin", "allReduce 4", "reduceScatter 2", "end");
    assertThat(world.rank(1).read(2048, 2, Element.F32)).containsExactly(36, 39);
  }

  @Test
  void aGroupIsEndedWhenACallInsideFails() {
    FakeDevices.Rank rank = world.rank(0);
    // A stream that the fake refuses.
    CollectiveCalls broken =
        new CollectiveCalls(
            new AllReduce(Axis.DATA),
            List.of(new Stretch(0, 0, 4, Element.F32)),
            rank,
            FakeDevices.STREAM + 1);
    Convoy convoy =
        new Convoy(rank, List.of(calls(new AllReduce(Axis.DATA), rank, 1024, 4), broken));
    assertThatThrownBy(convoy::issue).isInstanceOf(AssertionError.class);
    assertThat(rank.log).containsExactly("begin", "allReduce 4", "end");
  }

  private static CollectiveCalls calls(Op op, FakeDevices.Rank rank, long to, long elements) {
    return new CollectiveCalls(
        op, List.of(new Stretch(0, to, elements, Element.F32)), rank, FakeDevices.STREAM);
  }
}
