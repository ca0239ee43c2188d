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

/** The forward pass over the newest token of each sequence; what came before is in the cache. */
final class NewestTokens {
  private static final String TOKENS = "newest/tokens";
  private static final String POSITIONS = "newest/positions";
  private static final String PLACES = "newest/places";
  private static final String LENGTHS = "newest/lengths";
  private static final String LOGITS = "newest/logits";

  private final int sequences;
  private final int context;
  private final Graph graph;

  NewestTokens(ModelFamily family, int sequences, int context) {
    this.sequences = sequences;
    this.context = context;
    GraphBuilder b = new GraphBuilder();
    Value tokens = b.input(TOKENS, Shape.of(sequences), DType.I32);
    Value positions = b.positions(POSITIONS, sequences, context);
    Value places = b.input(PLACES, Shape.of(sequences), DType.I32);
    Value lengths = b.input(LENGTHS, Shape.of(sequences), DType.I32);
    KeyValueCache cache = new KeyValueCache(sequences, context, places, lengths);
    ModelInputs in = new ModelInputs(tokens, positions, null, context, cache, null);
    b.output(LOGITS, family.logits(b, in, new Full()));
    graph = b.build();
  }

  Graph graph() {
    return graph;
  }

  /** Leaves every sequence out; {@link #put} brings in those that go on. */
  void clear(Memory memory) {
    for (int sequence = 0; sequence < sequences; sequence++) {
      put(memory, sequence, 0, 0, CrossEntropy.IGNORED, 0);
    }
  }

  /** The token at place {@code length - 1} of its sequence, whose cache holds all before it. */
  void put(Memory memory, int sequence, int token, int length) {
    int position = length - 1;
    put(memory, sequence, token, position, sequence * context + position, length);
  }

  private static void put(
      Memory memory, int sequence, int token, int position, int place, int length) {
    memory.span(TOKENS).putInt(sequence, token);
    memory.span(POSITIONS).putInt(sequence, position);
    memory.span(PLACES).putInt(sequence, place);
    memory.span(LENGTHS).putInt(sequence, length);
  }

  /** The logits that follow the newest token of a sequence, as many as {@code target} holds. */
  void read(Memory memory, int sequence, int vocabulary, float[] target) {
    Span logits = memory.span(LOGITS);
    for (int id = 0; id < target.length; id++) {
      target[id] = logits.getFloat((long) sequence * vocabulary + id);
    }
  }
}
