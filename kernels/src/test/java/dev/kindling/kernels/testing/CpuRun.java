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
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;

/** Runs a whole graph on the CPU backend, from and to fp64. */
public final class CpuRun {
  private CpuRun() {}

  public static Map<String, double[]> run(
      Graph graph, Map<String, double[]> given, int threads, MatmulKind kind) {
    return run(graph, given, threads, kind, ThreadCommunicator.create(1).get(0));
  }

  /** The same graph on several ranks, a thread each. */
  public static List<Map<String, double[]>> run(
      Graph graph, List<Map<String, double[]>> given, int threads, MatmulKind kind) {
    List<ThreadCommunicator> world = ThreadCommunicator.create(given.size());
    List<CompletableFuture<Map<String, double[]>>> ranks = new ArrayList<>();
    for (int rank = 0; rank < given.size(); rank++) {
      Map<String, double[]> own = given.get(rank);
      Communicator communicator = world.get(rank);
      CompletableFuture<Map<String, double[]>> after = new CompletableFuture<>();
      ranks.add(after);
      Runnable body =
          () -> {
            try {
              after.complete(run(graph, own, threads, kind, communicator));
            } catch (Throwable thrown) {
              after.completeExceptionally(thrown);
              communicator.close();
            }
          };
      new Thread(body, "rank-" + rank).start();
    }
    return ranks.stream().map(CompletableFuture::join).toList();
  }

  private static Map<String, double[]> run(
      Graph graph,
      Map<String, double[]> given,
      int threads,
      MatmulKind kind,
      Communicator communicator) {
    Map<String, double[]> after = new HashMap<>();
    try (Backend backend = Backend.cpu(new CpuOptions(threads, kind));
        Memory memory = backend.allocate(graph.variables());
        Program program = backend.compile(graph, memory, Map.of(Axis.DATA, communicator))) {
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

  public static double[] read(Variable variable, Span span) {
    double[] content = new double[(int) variable.type().shape().elements()];
    for (int i = 0; i < content.length; i++) {
      content[i] = variable.type().dtype() == DType.I32 ? span.getInt(i) : span.getFloat(i);
    }
    return content;
  }
}
