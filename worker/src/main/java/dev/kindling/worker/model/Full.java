package dev.kindling.worker.model;

import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Value;

/** Full training: each weight is applied as it is and wants its whole gradient. */
public record Full() implements Projection {

  @Override
  public Value project(GraphBuilder b, Weight weight, Value x) {
    Value matrix = read(b, weight.matrix());
    return switch (weight.layout()) {
      case OUT_IN -> weight.bias()
          ? b.linear(x, matrix, read(b, weight.offset()))
          : b.linear(x, matrix);
      case IN_OUT -> b.linearInOut(x, matrix, read(b, weight.offset()));
    };
  }

  @Override
  public Value read(GraphBuilder b, Param p) {
    return b.param(p);
  }
}
