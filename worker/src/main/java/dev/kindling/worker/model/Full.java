package dev.kindling.worker.model;

import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.op.Linear;
import java.util.ArrayList;
import java.util.List;

/** Full training: each weight is applied as it is and wants its whole gradient. */
public record Full() implements Projection {

  @Override
  public Value project(GraphBuilder b, Weight weight, Value x) {
    Value matrix = read(b, weight.matrix());
    return weight.bias()
        ? biased(b, weight, x, matrix, read(b, weight.offset()))
        : b.add(new Linear(weight.layout(), false), x, matrix).get(0);
  }

  private static Value biased(GraphBuilder b, Weight weight, Value x, Value matrix, Value offset) {
    return b.add(new Linear(weight.layout(), true), x, matrix, offset).get(0);
  }

  /** Declares all matrices, then all biases: what lies side by side is one product on a GPU. */
  @Override
  public List<Value> project(GraphBuilder b, List<Weight> weights, Value x) {
    if (!weights.stream().allMatch(Weight::bias)) {
      return Projection.super.project(b, weights, x);
    }
    List<Value> matrices = weights.stream().map(weight -> read(b, weight.matrix())).toList();
    List<Value> offsets = weights.stream().map(weight -> read(b, weight.offset())).toList();
    List<Value> outputs = new ArrayList<>();
    for (int i = 0; i < weights.size(); i++) {
      outputs.add(biased(b, weights.get(i), x, matrices.get(i), offsets.get(i)));
    }
    return outputs;
  }

  @Override
  public Value read(GraphBuilder b, Param p) {
    return b.param(p);
  }
}
