package dev.kindling.kernels.testing;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.CpuOptions;
import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.backend.Program;
import dev.kindling.kernels.graph.Axis;
import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.memory.Span;
import java.util.HashMap;
import java.util.Map;

/** Runs a whole graph on the CPU backend, from and to fp64. */
public final class CpuRun {
  private CpuRun() {}

  public static Map<String, double[]> run(
      Graph graph, Map<String, double[]> given, int threads, MatmulKind kind) {
    Map<String, double[]> after = new HashMap<>();
    try (Backend backend = Backend.cpu(new CpuOptions(threads, kind));
        Memory memory = backend.allocate(graph.variables());
        Communicator twins = new TwinCommunicator();
        Program program = backend.compile(graph, memory, Map.of(Axis.DATA, twins))) {
      for (Variable variable : graph.variables()) {
        double[] content = given.get(variable.name());
        if (content != null) {
          write(variable, content, memory.span(variable.name()));
        }
      }
      program.run();
      for (Variable variable : graph.variables()) {
        after.put(variable.name(), read(variable, memory.span(variable.name())));
      }
    }
    return after;
  }

  public static void write(Variable variable, double[] content, Span span) {
    for (int i = 0; i < content.length; i++) {
      if (variable.type().dtype() == DType.I32) {
        span.putInt(i, (int) content[i]);
      } else {
        span.putFloat(i, (float) content[i]);
      }
    }
  }

  static double[] read(Variable variable, Span span) {
    double[] content = new double[(int) variable.type().shape().elements()];
    for (int i = 0; i < content.length; i++) {
      content[i] = variable.type().dtype() == DType.I32 ? span.getInt(i) : span.getFloat(i);
    }
    return content;
  }
}
