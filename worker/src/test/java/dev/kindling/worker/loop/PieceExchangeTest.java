package dev.kindling.worker.loop;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.kernels.backend.CollectiveException;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.memory.Span;
import dev.kindling.worker.checkpoint.PartCut;
import dev.kindling.worker.checkpoint.TensorSource;
import dev.kindling.worker.shard.Held;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Rank 0 of two, whose peer is lost in the middle of a round. */
class PieceExchangeTest {
  private static final int MIB = 1 << 20;

  private final List<String> calls = new ArrayList<>();
  private int failing = Integer.MAX_VALUE;

  private final Memory memory =
      (Memory)
          Proxy.newProxyInstance(
              Memory.class.getClassLoader(),
              new Class<?>[] {Memory.class},
              (proxy, method, arguments) -> null);

  private final Communicator data =
      (Communicator)
          Proxy.newProxyInstance(
              Communicator.class.getClassLoader(),
              new Class<?>[] {Communicator.class},
              (proxy, method, arguments) ->
                  switch (method.getName()) {
                    case "rank" -> 0;
                    case "worldSize" -> 2;
                    default -> transfer(method.getName());
                  });

  private Object transfer(String call) {
    calls.add(call);
    if (calls.size() == failing) {
      throw new CollectiveException("peer lost");
    }
    return calls;
  }

  /** Two tensors of two pieces each, one for each rank, of which this rank holds the first half. */
  private PieceExchange exchange() {
    List<Held> tensors =
        List.of(new Held("a", Shape.of(MIB), 0, MIB / 2), new Held("b", Shape.of(MIB), 0, MIB / 2));
    return new PieceExchange(memory::fetch, data, tensors, new PartCut(Long.MAX_VALUE, 1));
  }

  @Test
  void allRoundsSendAndReceiveTheHalvesOfTheOther() {
    try (PieceExchange pieces = exchange();
        Span room = Span.allocate(2 * MIB)) {
      pieces.sources().get(0).read(0, room);
      assertThat(calls).containsExactly("send");
      pieces.finish();
      assertThat(calls).containsExactly("send", "receive");
      pieces.finish();
      assertThat(calls).hasSize(2);
    }
  }

  @Test
  void afterARoundThatBrokeOffNoOtherIsBegun() {
    failing = 1;
    try (PieceExchange pieces = exchange();
        Span room = Span.allocate(2 * MIB)) {
      TensorSource source = pieces.sources().get(0);
      assertThatThrownBy(() -> source.read(0, room))
          .isInstanceOf(CollectiveException.class)
          .hasMessage("peer lost");
      assertThatThrownBy(pieces::finish)
          .isInstanceOf(CollectiveException.class)
          .hasMessageContaining("round 0 broke off");
      assertThatThrownBy(() -> source.read(0, room)).isInstanceOf(CollectiveException.class);
      assertThat(calls).as("nothing that a peer could mistake").containsExactly("send");
    }
  }

  @Test
  void aRoundThatBrokeOffWhileOthersWereServedStaysOpen() {
    failing = 2;
    try (PieceExchange pieces = exchange()) {
      assertThatThrownBy(pieces::finish).hasMessage("peer lost");
      assertThatThrownBy(pieces::finish)
          .isInstanceOf(CollectiveException.class)
          .hasMessageContaining("round 1 broke off");
      assertThat(calls).hasSize(2);
    }
  }
}
