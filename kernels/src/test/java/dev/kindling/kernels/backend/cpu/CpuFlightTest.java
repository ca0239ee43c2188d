package dev.kindling.kernels.backend.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.CollectiveException;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.CpuOptions;
import dev.kindling.kernels.backend.Flight;
import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.testing.FlightRun;
import dev.kindling.kernels.testing.ThreadCommunicator;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class CpuFlightTest {
  private static final int RANKS = 3;
  private static final List<Variable> VARIABLES =
      List.of(
          new Variable("a", ValueType.f32(5), Role.PAYLOAD),
          new Variable("b", ValueType.f32(2), Role.PAYLOAD),
          new Variable("state", ValueType.f32(5), Role.STATE));

  private final Backend backend = Backend.cpu(new CpuOptions(1, MatmulKind.JAVA));
  private final List<ThreadCommunicator> world = ThreadCommunicator.create(RANKS);
  private final List<Memory> memories = new ArrayList<>();
  private final List<Flight> flights = new ArrayList<>();

  CpuFlightTest() {
    for (int rank = 0; rank < RANKS; rank++) {
      Memory memory = backend.allocate(VARIABLES);
      memories.add(memory);
      flights.add(backend.flight(memory, Role.PAYLOAD, world.get(rank)));
    }
  }

  @AfterEach
  void close() {
    world.forEach(ThreadCommunicator::close);
    flights.forEach(Flight::close);
    memories.forEach(Memory::close);
    backend.close();
  }

  private void put(String variable, int place, float... ofRanks) {
    for (int rank = 0; rank < RANKS; rank++) {
      memories.get(rank).span(variable).putFloat(place, ofRanks[rank]);
    }
  }

  @Test
  void averagesTheWholeRoleInOneReductionAndNothingElse() {
    put("a", 4, 1f, 2f, 6f);
    put("b", 1, 1f, 0f, 0f);
    put("state", 0, 1f, 2f, 6f);
    flights.forEach(Flight::begin);
    flights.forEach(Flight::await);
    for (int rank = 0; rank < RANKS; rank++) {
      assertThat(memories.get(rank).span("a").getFloat(4)).isEqualTo(3f);
      assertThat(memories.get(rank).span("b").getFloat(1)).isEqualTo(1f / 3);
      assertThat(world.get(rank).calls()).isEqualTo(1);
      assertThat(flights.get(rank).isUnderWay()).isFalse();
    }
    assertThat(memories.get(1).span("state").getFloat(0)).isEqualTo(2f);
  }

  @Test
  void averagesWhatLayThereWhenItBegan() {
    List<ThreadCommunicator> others = ThreadCommunicator.create(RANKS);
    List<FlightRun> runs = others.stream().map(each -> new FlightRun(backend, each, 1003)).toList();
    for (int round = 0; round < 3; round++) {
      runs.forEach(FlightRun::depart);
      runs.forEach(FlightRun::arrive);
    }
    runs.forEach(FlightRun::check);
    others.forEach(ThreadCommunicator::close);
    runs.forEach(FlightRun::close);
  }

  @Test
  void beginsBeforeOthersDoAndHoldsNobodyUp() {
    put("a", 0, 3f, 6f, 9f);
    flights.get(0).begin();
    assertThat(flights.get(0).isUnderWay()).isTrue();
    memories.get(0).span("state").putFloat(0, 7f);
    flights.get(1).begin();
    flights.get(2).begin();
    flights.forEach(Flight::await);
    assertThat(memories.get(0).span("a").getFloat(0)).isEqualTo(6f);
    assertThat(memories.get(0).span("state").getFloat(0)).isEqualTo(7f);
  }

  @Test
  void waitsForNothingWhereNothingIsUnderWayAndRefusesASecond() {
    flights.get(0).await();
    assertThat(flights.get(0).exposedNanos()).isZero();
    flights.get(0).begin();
    assertThatThrownBy(() -> flights.get(0).begin()).hasMessageContaining("found one");
    flights.get(1).begin();
    flights.get(2).begin();
    flights.forEach(Flight::await);
  }

  @Test
  void tellsWhoWaitsThatARankIsLost() {
    CollectiveException lost = new CollectiveException("rank 1 is gone");
    Communicator broken =
        (Communicator)
            Proxy.newProxyInstance(
                Communicator.class.getClassLoader(),
                new Class<?>[] {Communicator.class},
                (proxy, method, arguments) -> {
                  if (method.getName().equals("allReduce")) {
                    throw lost;
                  }
                  return RANKS;
                });
    try (Flight flight = backend.flight(memories.get(0), Role.PAYLOAD, broken)) {
      flight.begin();
      assertThatThrownBy(flight::await)
          .isInstanceOf(CollectiveException.class)
          .hasMessageContaining("rank 1 is gone")
          .hasCause(lost);
    }
  }
}
