package dev.kindling.kernels.testing;

import dev.kindling.kernels.graph.op.BiasGradient;
import dev.kindling.kernels.graph.op.Linear;
import dev.kindling.kernels.graph.op.LinearInputGradient;
import dev.kindling.kernels.graph.op.LinearWeightGradient;
import dev.kindling.kernels.graph.op.WeightLayout;
import java.util.List;

/** Products of a linear layer. */
final class LinearOracle {
  private LinearOracle() {}

  private static int at(WeightLayout layout, int out, int in, int outs, int ins) {
    return layout == WeightLayout.OUT_IN ? out * ins + in : in * outs + out;
  }

  static List<double[]> forward(Oracle.Call call) {
    Linear op = (Linear) call.op();
    int tokens = call.dim(0, 0);
    int ins = call.dim(0, 1);
    int outs = call.outputTypes().get(0).shape().dim(1);
    double[] y = new double[tokens * outs];
    for (int t = 0; t < tokens; t++) {
      for (int n = 0; n < outs; n++) {
        double sum = op.bias() ? call.in(2)[n] : 0;
        for (int k = 0; k < ins; k++) {
          sum += call.in(0)[t * ins + k] * call.in(1)[at(op.layout(), n, k, outs, ins)];
        }
        y[t * outs + n] = sum;
      }
    }
    return List.of(y);
  }

  static List<double[]> input(Oracle.Call call) {
    LinearInputGradient op = (LinearInputGradient) call.op();
    int outs = call.dim(0, 1);
    int ins = call.outputTypes().get(0).shape().dim(1);
    double[] dx = op.accumulate() ? call.in(2).clone() : new double[call.dim(0, 0) * ins];
    for (int i = 0; i < dx.length; i++) {
      for (int n = 0; n < outs; n++) {
        dx[i] +=
            call.in(0)[i / ins * outs + n] * call.in(1)[at(op.layout(), n, i % ins, outs, ins)];
      }
    }
    return List.of(dx);
  }

  static List<double[]> weight(Oracle.Call call) {
    LinearWeightGradient op = (LinearWeightGradient) call.op();
    int ins = call.dim(0, 1);
    int outs = call.dim(1, 1);
    double[] dw = op.accumulate() ? call.in(2).clone() : new double[ins * outs];
    for (int t = 0; t < call.dim(0, 0); t++) {
      for (int n = 0; n < outs; n++) {
        for (int k = 0; k < ins; k++) {
          dw[at(op.layout(), n, k, outs, ins)] +=
              call.in(0)[t * ins + k] * call.in(1)[t * outs + n];
        }
      }
    }
    return List.of(dw);
  }

  static List<double[]> bias(Oracle.Call call) {
    int outs = call.dim(0, 1);
    boolean accumulate = ((BiasGradient) call.op()).accumulate();
    double[] sums = accumulate ? call.in(1).clone() : new double[outs];
    for (int i = 0; i < call.in(0).length; i++) {
      sums[i % outs] += call.in(0)[i];
    }
    return List.of(sums);
  }
}
