package dev.kindling.worker.evaluate;

import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.op.CrossEntropy;
import dev.kindling.kernels.memory.Span;
import dev.kindling.worker.model.Full;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.model.ModelInputs;
import java.util.function.IntPredicate;

/** The loss of one sequence of at most {@code length} tokens. */
final class ScoringWindow {
  private final int length;
  private final Graph graph;

  ScoringWindow(ModelFamily family, int length) {
    this.length = length;
    GraphBuilder b = new GraphBuilder();
    Value tokens = b.input(name("tokens"), Shape.of(length), DType.I32);
    Value positions = b.input(name("positions"), Shape.of(length), DType.I32);
    Value targets = b.input(name("targets"), Shape.of(length), DType.I32);
    ModelInputs in = new ModelInputs(tokens, positions, null, length);
    b.output(name("loss"), b.crossEntropy(family.logits(b, in, new Full()), targets).lossSum());
    graph = b.build();
  }

  int length() {
    return length;
  }

  Graph graph() {
    return graph;
  }

  /**
   * Places {@code count} tokens of the stream, from {@code at} on, each with the one behind it as
   * its target. Causal attention keeps what follows the last one out of their losses.
   *
   * @param counts which tokens of the stream count as targets, by their places
   */
  void fill(Memory memory, int[] stream, int at, int count, IntPredicate counts) {
    Span tokens = memory.span(name("tokens"));
    Span positions = memory.span(name("positions"));
    Span targets = memory.span(name("targets"));
    for (int i = 0; i < length; i++) {
      boolean real = i < count;
      tokens.putInt(i, real ? stream[at + i] : 0);
      positions.putInt(i, i);
      boolean target = real && counts.test(at + i + 1);
      targets.putInt(i, target ? stream[at + i + 1] : CrossEntropy.IGNORED);
    }
  }

  float lossSum(Memory memory) {
    return memory.span(name("loss")).getFloat(0);
  }

  private String name(String variable) {
    return "score" + length + "/" + variable;
  }
}
