package dev.kindling.worker.generate;

import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.op.CrossEntropy;
import dev.kindling.kernels.memory.Span;
import dev.kindling.worker.model.Full;
import dev.kindling.worker.model.KeyValueCache;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.model.ModelInputs;

/**
 * The forward pass over one sequence of at most {@code length} tokens, which may leave its keys and
 * values in the cache.
 */
final class Window {
  /** Instead of a sequence of the cache: nothing is kept. */
  static final int NOT_KEPT = -1;

  /** Of windows of every length: an OUTPUT travels with every run. */
  private static final String LAST = "window/last";

  private static final String LOGITS = "window/logits";

  private final int length;
  private final int context;
  private final Graph graph;

  /**
   * @param sequences of the cache, each of {@code context} tokens
   */
  Window(ModelFamily family, int length, int sequences, int context) {
    this.length = length;
    this.context = context;
    GraphBuilder b = new GraphBuilder();
    Value tokens = b.input(name("tokens"), Shape.of(length), DType.I32);
    Value positions = b.input(name("positions"), Shape.of(length), DType.I32);
    Value places = b.input(name("places"), Shape.of(length), DType.I32);
    Value last = b.input(LAST, Shape.of(1), DType.I32);
    KeyValueCache cache = new KeyValueCache(sequences, context, places, null);
    ModelInputs in = new ModelInputs(tokens, positions, null, length, cache, last);
    b.output(LOGITS, family.logits(b, in, new Full()));
    graph = b.build();
  }

  int length() {
    return length;
  }

  Graph graph() {
    return graph;
  }

  /**
   * Places the tokens at the start; causal attention keeps what follows out of their logits.
   *
   * @param sequence of the cache that keeps them, or {@link #NOT_KEPT}
   */
  void fill(Memory memory, int[] text, int from, int to, int sequence) {
    Span ids = memory.span(name("tokens"));
    Span positions = memory.span(name("positions"));
    Span places = memory.span(name("places"));
    for (int i = 0; i < length; i++) {
      boolean real = from + i < to;
      ids.putInt(i, real ? text[from + i] : 0);
      positions.putInt(i, i);
      boolean kept = real && sequence != NOT_KEPT;
      places.putInt(i, kept ? sequence * context + i : CrossEntropy.IGNORED);
    }
    memory.span(LAST).putInt(0, to - from - 1);
  }

  /** The logits that follow the last token, as many as {@code target} holds. */
  void read(Memory memory, float[] target) {
    Span logits = memory.span(LOGITS);
    for (int id = 0; id < target.length; id++) {
      target[id] = logits.getFloat(id);
    }
  }

  private String name(String variable) {
    return "window" + length + "/" + variable;
  }
}
