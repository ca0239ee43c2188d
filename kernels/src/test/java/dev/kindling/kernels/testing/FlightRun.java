package dev.kindling.kernels.testing;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.Flight;
import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.backend.Program;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.Accumulate;
import dev.kindling.kernels.memory.Span;
import java.util.List;
import java.util.Map;

/**
 * One rank of rounds whose averages travel while programs go on: what they add to a state behind
 * {@link #depart} is in no average before the next round.
 *
 * <pre>
 * depart    state += step, several times;  payload += state;  begin;  state += step, many times
 * arrive    await;  seen += payload
 * </pre>
 */
public final class FlightRun implements AutoCloseable {
  private static final int BEFORE = 3;
  private static final int BESIDE = 20;

  /** Elements with the same remainder are equal. */
  private static final int KINDS = 7;

  private final int ranks;
  private final int rank;
  private final int elements;
  private final Memory memory;
  private final Program step;
  private final Program send;
  private final Program take;
  private final Flight flight;
  private final float[][] states;
  private final float[][] payloads;
  private final float[] seen = new float[KINDS];
  private int slot;

  public FlightRun(Backend backend, Communicator communicator, int elements) {
    this.elements = elements;
    ranks = communicator.worldSize();
    rank = communicator.rank();
    states = new float[ranks][KINDS];
    payloads = new float[ranks][KINDS];
    ValueType type = ValueType.f32(elements);
    Variable payload = new Variable("payload", type, Role.PAYLOAD);
    Variable state = new Variable("state", type, Role.STATE);
    Variable sum = new Variable("seen", type, Role.STATE);
    Variable one = new Variable("step", type, Role.GRADIENT);
    memory = backend.allocate(List.of(payload, state, sum, one));
    step = compile(backend, state, one);
    send = compile(backend, payload, state);
    take = compile(backend, sum, payload);
    flight = backend.flight(memory, Role.PAYLOAD, communicator);
    Span steps = memory.span("step");
    for (int i = 0; i < elements; i++) {
      steps.putFloat(i, step(rank, i % KINDS));
    }
    memory.publish("step");
    memory.release("step");
  }

  private Program compile(Backend backend, Variable target, Variable addend) {
    GraphBuilder b = new GraphBuilder();
    Value to = b.variable(target);
    b.add(new Accumulate(), to, b.variable(addend));
    Graph graph = b.build();
    return backend.compile(graph, memory, Map.of());
  }

  private static float step(int rank, int kind) {
    return 1 + rank + 2 * kind;
  }

  private void submit(Program program, int times) {
    for (int i = 0; i < times; i++) {
      memory.await(slot);
      program.submit(slot);
      slot = (slot + 1) % memory.slots();
    }
  }

  public void depart() {
    submit(step, BEFORE);
    submit(send, 1);
    flight.begin();
    assertThat(flight.isUnderWay()).isTrue();
    submit(step, BESIDE);
  }

  public void arrive() {
    flight.await();
    assertThat(flight.isUnderWay()).isFalse();
    submit(take, 1);
    for (int kind = 0; kind < KINDS; kind++) {
      float sum = 0;
      for (int r = 0; r < ranks; r++) {
        states[r][kind] += BEFORE * step(r, kind);
        payloads[r][kind] += states[r][kind];
        states[r][kind] += BESIDE * step(r, kind);
        sum += payloads[r][kind];
      }
      for (float[] each : payloads) {
        each[kind] = sum / ranks;
      }
      seen[kind] += sum / ranks;
    }
  }

  /** The device has what exact ranks would have, which add up in the order of their numbers. */
  public void check() {
    memory.fetch("seen");
    Span found = memory.span("seen");
    for (int i = 0; i < elements; i++) {
      float expected = seen[i % KINDS];
      if (found.getFloat(i) != expected) {
        assertThat(found.getFloat(i)).as("rank %d, seen[%d]", rank, i).isEqualTo(expected);
      }
    }
    memory.release("seen");
  }

  public Flight flight() {
    return flight;
  }

  /** The communicator is to be closed before. */
  @Override
  public void close() {
    flight.close();
    step.close();
    send.close();
    take.close();
    memory.close();
  }
}
