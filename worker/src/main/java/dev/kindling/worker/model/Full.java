package dev.kindling.worker.model;

import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.op.Linear;

/** Full training: each weight is applied as it is and wants its whole gradient. */
public record Full() implements Projection {

  @Override
  public Value project(GraphBuilder b, Weight weight, Value x) {
    Linear linear = new Linear(weight.layout(), weight.bias());
    Value matrix = read(b, weight.matrix());
    return (weight.bias()
            ? b.add(linear, x, matrix, read(b, weight.offset()))
            : b.add(linear, x, matrix))
        .get(0);
  }

  @Override
  public Value read(GraphBuilder b, Param p) {
    return b.param(p);
  }
}
