package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import java.util.ArrayList;
import java.util.List;

/**
 * y = v * (m / norm) (+ bias), column by column. v [T, N], m, norm and bias [N] -> [T, N], fp32.
 *
 * <p>Gradient: dv = dy * (m / norm); with s = column sums of dy * v, dm = s / norm and dnorm = -s m
 * / norm^2; dbias = column sums of dy. Keeps v. After Liu et al. 2024 (DoRA, 2402.09353), eq. 5.
 */
public record Magnitude(boolean bias) implements Op {
  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.count(this, inputs, bias ? 4 : 3);
    int width = Expect.matrix(this, inputs, 0).dim(1);
    for (int i = 1; i < inputs.size(); i++) {
      Expect.f32(this, inputs, i, width);
    }
    return List.of(inputs.get(0));
  }

  @Override
  public boolean mayReuse(int output, int input) {
    return input == 0;
  }

  @Override
  public void gradient(GraphBuilder builder, Node node, Tape tape) {
    Value dy = tape.upstream(0);
    if (dy == null) {
      return;
    }
    List<Value> inputs = node.inputs();
    if (tape.wants(1) || tape.wants(2)) {
      List<Value> sums = new ArrayList<>(inputs.subList(0, 3));
      sums.add(1, dy);
      List<Value> outputs = builder.add(new MagnitudeGradient(), sums.toArray(Value[]::new));
      for (int input = 1; input <= 2; input++) {
        if (tape.wants(input)) {
          tape.deliver(input, outputs.get(input - 1));
        }
      }
    }
    if (bias && tape.wants(3)) {
      tape.accumulate(3, adds -> new BiasGradient(adds), dy);
    }
    if (tape.wants(0)) {
      Value dv = builder.add(new Magnitude(false), dy, inputs.get(1), inputs.get(2)).get(0);
      tape.deliver(0, dv);
    }
  }
}
