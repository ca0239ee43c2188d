package dev.kindling.kernels.testing;

import dev.kindling.kernels.graph.StepScalar;
import dev.kindling.kernels.graph.op.Descend;
import dev.kindling.kernels.graph.op.Momentum;
import dev.kindling.kernels.graph.op.Normalize;
import dev.kindling.kernels.graph.op.WeightedSum;
import java.util.Arrays;
import java.util.List;

/** Directions and steps along them. */
final class DirectionOracle {
  private DirectionOracle() {}

  static List<double[]> momentum(Oracle.Call call) {
    Momentum op = (Momentum) call.op();
    double[] buffer = call.in(1).clone();
    double[] direction = new double[buffer.length];
    double scale = call.in(2)[0];
    double rest = 1.0 - op.momentum();
    for (int i = 0; scale != 0 && i < buffer.length; i++) {
      double g = scale * call.in(0)[i];
      buffer[i] = rest * g + op.momentum() * buffer[i];
      direction[i] = op.nesterov() ? rest * g + op.momentum() * buffer[i] : buffer[i];
    }
    return List.of(direction, buffer);
  }

  static List<double[]> normalize(Oracle.Call call) {
    double norm = Math.max(call.in(1)[0], ((Normalize) call.op()).least());
    return List.of(Arrays.stream(call.in(0)).map(x -> x / norm).toArray());
  }

  static List<double[]> weightedSum(Oracle.Call call) {
    WeightedSum op = (WeightedSum) call.op();
    double[] sum = new double[call.in(0).length];
    for (int i = 0; i < sum.length; i++) {
      sum[i] = op.a() * call.in(0)[i] + op.b() * call.in(1)[i];
    }
    return List.of(sum);
  }

  static List<double[]> descend(Oracle.Call call) {
    Descend op = (Descend) call.op();
    double[] p = call.in(0).clone();
    double rate = call.in(3)[StepScalar.LEARNING_RATE.ordinal()];
    for (int i = 0; call.in(2)[0] != 0 && i < p.length; i++) {
      p[i] -= rate * (op.factor() * call.in(1)[i] + op.weightDecay() * p[i]);
    }
    return List.of(p);
  }
}
