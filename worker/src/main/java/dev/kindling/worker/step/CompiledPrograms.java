package dev.kindling.worker.step;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.backend.Program;
import dev.kindling.kernels.graph.Axis;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.memory.Closing;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/** Compiles what belongs to one memory. */
final class CompiledPrograms {
  private CompiledPrograms() {}

  /** All programs, or none and no memory either. */
  static List<Program> of(
      List<Graph> graphs, Backend backend, Memory memory, Map<Axis, Communicator> axes) {
    List<Program> compiled = new ArrayList<>();
    try {
      for (Graph graph : graphs) {
        compiled.add(backend.compile(graph, memory, axes));
      }
      return List.copyOf(compiled);
    } catch (RuntimeException | Error failure) {
      compiled.forEach(program -> Closing.after(failure, program));
      Closing.after(failure, memory);
      throw failure;
    }
  }

  /** All arenas of a memory. */
  static long variableBytes(Memory memory) {
    return Arrays.stream(Role.values()).mapToLong(memory::bytes).sum();
  }

  /** One line for each program, behind its name; only collectives count. */
  static String fingerprint(Map<String, List<Program>> named) {
    List<String> lines = new ArrayList<>();
    named.forEach(
        (name, programs) ->
            programs.forEach(
                each -> lines.add(name + " " + each.graph().fingerprintOfCollectives())));
    return String.join("\n", lines);
  }
}
