package dev.kindling.worker.generate;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.backend.Program;
import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.memory.Span;
import dev.kindling.worker.model.Full;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.model.ModelInputs;
import java.util.Map;

/** The forward pass over one sequence of at most {@code length} tokens. */
final class Window {
  private final int length;
  private final Graph graph;

  Window(ModelFamily family, int length) {
    this.length = length;
    GraphBuilder b = new GraphBuilder();
    Value tokens = b.input(name("tokens"), Shape.of(length), DType.I32);
    Value positions = b.input(name("positions"), Shape.of(length), DType.I32);
    b.output(
        name("logits"),
        family.logits(b, new ModelInputs(tokens, positions, null, length), new Full()));
    graph = b.build();
  }

  int length() {
    return length;
  }

  Graph graph() {
    return graph;
  }

  Program compile(Backend backend, Memory memory) {
    return backend.compile(graph, memory, Map.of());
  }

  /** Places the tokens at the start; causal attention keeps what follows out of their logits. */
  void fill(Memory memory, int[] text, int from, int to) {
    Span ids = memory.span(name("tokens"));
    Span positions = memory.span(name("positions"));
    for (int i = 0; i < length; i++) {
      ids.putInt(i, from + i < to ? text[from + i] : 0);
      positions.putInt(i, i);
    }
  }

  /** The logits that follow the token at this index, as many as {@code target} holds. */
  void read(Memory memory, int index, int vocabulary, float[] target) {
    Span logits = memory.span(name("logits"));
    for (int id = 0; id < target.length; id++) {
      target[id] = logits.getFloat((long) index * vocabulary + id);
    }
  }

  private String name(String variable) {
    return "window" + length + "/" + variable;
  }
}
