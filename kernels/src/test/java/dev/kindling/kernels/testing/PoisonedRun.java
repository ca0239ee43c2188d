package dev.kindling.kernels.testing;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.backend.Program;
import dev.kindling.kernels.graph.Axis;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.memory.Span;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * One graph on a device, run again and again over memory that was spoilt before: outputs, and the
 * arena of activations by a program of its own that fills all of it. A kernel that reads what it
 * did not write, or does not write what it should, shows in the results.
 */
public final class PoisonedRun implements AutoCloseable {
  private static final String TABLE = "poison";
  private static final String ROWS = "poison/rows";
  private static final int COLUMNS = 4096;

  private final Graph graph;
  private final Memory memory;
  private final Program poison;
  private final Program program;

  /**
   * @throws dev.kindling.kernels.backend.DeviceException if a kernel refuses the graph
   */
  public PoisonedRun(Backend backend, Graph graph) {
    this.graph = graph;
    Graph spoiler = spoiler(graph);
    List<Variable> variables = new ArrayList<>(graph.variables());
    variables.addAll(spoiler.variables());
    Communicator alone = ThreadCommunicator.create(1).get(0);
    memory = backend.allocate(variables, List.of(spoiler, graph));
    try {
      poison = backend.compile(spoiler, memory, Map.of());
      program = backend.compile(graph, memory, Map.of(Axis.DATA, alone));
    } catch (RuntimeException refused) {
      memory.close();
      throw refused;
    }
  }

  /** Every value of the graph stored in fp32 with room to align and pad it. */
  private static Graph spoiler(Graph graph) {
    long bytes = 1 << 16;
    for (Node node : graph.nodes()) {
      for (Value output : node.outputs()) {
        int rows = output.shape().rank() < 2 ? 1 : output.shape().dim(0);
        bytes += 2 * output.type().bytes() + 64L * rows + 512;
      }
    }
    GraphBuilder builder = new GraphBuilder();
    int rows = Math.toIntExact(bytes / (2 * COLUMNS) + 1);
    Value table = builder.variable(new Variable(TABLE, ValueType.f32(1, COLUMNS), Role.PARAMETER));
    Value ids = builder.variable(new Variable(ROWS, ValueType.i32(rows), Role.INPUT));
    builder.embedding(table, ids);
    return builder.build();
  }

  /** Contents of all OUTPUT variables after a run over memory that holds {@code filling}. */
  public Map<String, double[]> run(Map<String, double[]> contents, float filling) {
    fill(memory.span(TABLE), filling);
    memory.publish(TABLE);
    poison.run();
    for (Variable variable : graph.variables()) {
      Span span = memory.span(variable.name());
      double[] content = contents.get(variable.name());
      if (variable.role() == Role.OUTPUT) {
        fill(span, filling);
      } else if (content != null) {
        CpuRun.write(variable, content, span);
      }
      if (variable.role() != Role.INPUT && variable.role() != Role.STEP) {
        memory.publish(variable.name());
      }
    }
    program.run();
    Map<String, double[]> after = new HashMap<>();
    for (Variable variable : graph.variables()) {
      if (variable.role() == Role.OUTPUT) {
        after.put(variable.name(), CpuRun.read(variable, memory.span(variable.name())));
      }
    }
    return after;
  }

  private static void fill(Span span, float filling) {
    for (long i = 0; i < span.bytes() / Float.BYTES; i++) {
      span.putFloat(i, filling);
    }
  }

  @Override
  public void close() {
    program.close();
    poison.close();
    memory.close();
  }
}
