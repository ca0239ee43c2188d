package dev.kindling.kernels.testing;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.backend.Program;
import dev.kindling.kernels.backend.Snapshot;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.Accumulate;
import dev.kindling.kernels.memory.Span;
import java.util.List;
import java.util.Map;

/** A program that adds one to a weight and two to a state, and snapshots of both. */
public final class SnapshotRun implements AutoCloseable {
  private static final int ROUNDS = 3;
  private static final int RUNS = 20;

  private final int elements;
  private final Memory memory;
  private final Program program;

  public SnapshotRun(Backend backend, int elements) {
    this.elements = elements;
    GraphBuilder builder = new GraphBuilder();
    ValueType type = ValueType.f32(elements);
    Value weight = builder.variable(new Variable("w", type, Role.PARAMETER));
    Value state = builder.variable(new Variable("m", type, Role.STATE));
    Value one = builder.variable(new Variable("one", type, Role.GRADIENT));
    builder.add(new Accumulate(), weight, one);
    Value once = builder.add(new Accumulate(), state, one).get(0);
    builder.add(new Accumulate(), once, one);
    var graph = builder.build();
    memory = backend.allocate(graph.variables());
    program = backend.compile(graph, memory, Map.of());
    Span ones = memory.span("one");
    for (int i = 0; i < elements; i++) {
      ones.putFloat(i, 1f);
    }
    memory.publish("one");
  }

  /** Runs that follow a snapshot change nothing in it, neither before it is awaited nor after. */
  public void checkThatLaterRunsDoNotShow() {
    int done = 0;
    try (Snapshot snapshot = memory.snapshot(List.of("w", "m"))) {
      assertThat(snapshot.bytes()).isGreaterThanOrEqualTo(2L * elements * Float.BYTES);
      for (int round = 0; round < ROUNDS; round++) {
        submit();
        done++;
        snapshot.take();
        for (int run = 0; run < RUNS; run++) {
          submit();
        }
        snapshot.await();
        check(snapshot, "w", done);
        check(snapshot, "m", 2 * done);
        done += RUNS;
        check(snapshot, "w", done - RUNS);
      }
    }
    try (Snapshot last = memory.snapshot(List.of("m"))) {
      last.take();
      last.await();
      check(last, "m", 2 * done);
    }
  }

  private int slot;

  private void submit() {
    memory.await(slot);
    program.submit(slot);
    slot = (slot + 1) % memory.slots();
  }

  private void check(Snapshot snapshot, String variable, int expected) {
    try (Span found = Span.allocate((long) elements * Float.BYTES)) {
      snapshot.fetch(variable, 0, found);
      for (int i = 0; i < elements; i++) {
        if (found.getFloat(i) != expected) {
          assertThat(found.getFloat(i)).as(variable + "[" + i + "]").isEqualTo(expected);
        }
      }
      Span end = found.slice(0, Float.BYTES);
      end.putFloat(0, -1f);
      snapshot.fetch(variable, (elements - 1L) * Float.BYTES, end);
      assertThat(end.getFloat(0)).isEqualTo(expected);
    }
  }

  @Override
  public void close() {
    program.close();
    memory.close();
  }
}
