package dev.kindling.kernels.graph.rewrite;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.CrossEntropyWithGradient;
import org.junit.jupiter.api.Test;

class LossInPlaceTest {
  private final GraphBuilder builder = new GraphBuilder();
  private final Value x = builder.variable(new Variable("x", ValueType.f32(4, 8), Role.INPUT));
  private final Value targets = builder.input("targets", Shape.of(4), DType.I32);

  @Test
  void overwritesLogitsThatNobodyElseReads() {
    builder.crossEntropy(builder.gelu(x), targets);
    builder.rewrite(new LossInPlace());
    assertThat(builder.nodes().get(1).op()).isEqualTo(new CrossEntropyWithGradient(true));
  }

  @Test
  void doesNotOverwriteLogitsThatAreAlsoPublished() {
    Value logits = builder.gelu(x);
    builder.output("logits", logits);
    builder.crossEntropy(logits, targets);
    builder.rewrite(new LossInPlace());
    assertThat(builder.nodes().get(2).op()).isEqualTo(new CrossEntropyWithGradient(false));
  }

  @Test
  void doesNotOverwriteAVariable() {
    builder.crossEntropy(x, targets);
    builder.rewrite(new LossInPlace());
    assertThat(builder.nodes().get(0).op()).isEqualTo(new CrossEntropyWithGradient(false));
  }
}
