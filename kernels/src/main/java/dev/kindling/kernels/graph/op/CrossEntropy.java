package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/**
 * Sum over tokens of lse(z) - z[target], and the number of tokens that count. logits z [T, V],
 * targets I32 [T], -100 = ignored -> lossSum [1], tokenCount [1]. Row loss in fp32 as lse -
 * z[target]; the sum over T in fp64, fixed order. Reverse mode first turns it into {@link
 * CrossEntropyWithGradient}, which has the gradient.
 */
public record CrossEntropy() implements Op {
  /** Target of a token that does not count. */
  public static final int IGNORED = -100;

  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.count(this, inputs, 2);
    Shape logits = Expect.matrix(this, inputs, 0);
    Expect.i32(this, inputs, 1, logits.dim(0));
    return List.of(ValueType.f32(1), ValueType.f32(1));
  }
}
