package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/**
 * {@link CrossEntropy} that also writes d(lossSum)/d(logits) [T, V], over the logits when {@code
 * inPlace}: dz = exp(z - lse) - [v = target], ignored rows 0. Its gradient is that third output, so
 * it must be the loss itself or a summand of it.
 */
public record CrossEntropyWithGradient(boolean inPlace) implements Op {
  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    List<ValueType> outputs = new CrossEntropy().infer(inputs);
    return List.of(outputs.get(0), outputs.get(1), inputs.get(0));
  }

  @Override
  public int alias(int output) {
    return inPlace && output == 2 ? 0 : OWN_MEMORY;
  }

  @Override
  public void gradient(GraphBuilder builder, Node node, Tape tape) {
    if (tape.upstream(0) == null || !tape.wants(0)) {
      return;
    }
    Expect.that(tape.seeded(0), this, "must be the loss itself or a summand of it");
    tape.deliver(0, node.output(2));
  }
}
