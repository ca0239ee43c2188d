package dev.kindling.kernels.testing;

import dev.kindling.kernels.graph.op.Dropout;
import dev.kindling.kernels.graph.op.LinearOnto;
import dev.kindling.kernels.graph.op.Magnitude;
import dev.kindling.kernels.graph.op.MaskedGradient;
import dev.kindling.kernels.graph.op.MaskedWeight;
import dev.kindling.kernels.graph.op.RowNorms;
import dev.kindling.kernels.graph.op.Scale;
import dev.kindling.kernels.graph.op.ScatterColumns;
import dev.kindling.kernels.graph.op.WeightLayout;
import dev.kindling.kernels.random.Philox;
import java.util.Arrays;
import java.util.List;

/** What adapters add beside a product. */
final class AdapterOracle {
  private AdapterOracle() {}

  static List<double[]> scale(Oracle.Call call) {
    double factor = ((Scale) call.op()).factor();
    return List.of(Arrays.stream(call.in(0)).map(x -> factor * x).toArray());
  }

  static List<double[]> linearOnto(Oracle.Call call) {
    int rank = call.dim(0, 1);
    int outs = call.dim(2, 1);
    boolean over = ((LinearOnto) call.op()).over();
    double[] y = over ? new double[call.in(2).length] : call.in(2).clone();
    for (int i = 0; i < y.length; i++) {
      for (int k = 0; k < rank; k++) {
        y[i] += call.in(0)[i / outs * rank + k] * call.in(1)[i % outs * rank + k];
      }
    }
    return List.of(y);
  }

  static List<double[]> scatterColumns(Oracle.Call call) {
    ScatterColumns op = (ScatterColumns) call.op();
    int[] columns = op.columns().toArray();
    boolean outIn = op.layout() == WeightLayout.OUT_IN;
    double[] weight = call.in(2).clone();
    int width = call.dim(2, 1);
    for (int out = 0; out < op.layout().out(call.types().get(2).shape()); out++) {
      for (int k = 0; k < columns.length; k++) {
        int from = outIn ? out * columns.length + k : k * width + out;
        int to = outIn ? out * width + columns[k] : columns[k] * width + out;
        weight[to] = call.in(0)[from] + op.scale() * call.in(1)[from];
      }
    }
    return List.of(weight);
  }

  static List<double[]> dropout(Oracle.Call call) {
    Dropout op = (Dropout) call.op();
    long first = ((long) call.in(1)[0] & 0xFFFFFFFFL) + ((long) call.in(1)[1] << 32);
    double[] y = call.in(0).clone();
    for (int i = 0; i < y.length; i++) {
      long index = first * call.dim(0, 1) + i;
      boolean kept = Philox.word(op.key(), index) * 0x1.0p-32 >= op.rate();
      y[i] = kept ? y[i] / (1 - (double) op.rate()) : 0;
    }
    return List.of(y);
  }

  static List<double[]> rowNorms(Oracle.Call call) {
    RowNorms op = (RowNorms) call.op();
    int rank = call.dim(1, 0);
    int ins = call.dim(1, 1);
    double[] norms = new double[call.dim(2, 0)];
    for (int out = 0; out < norms.length; out++) {
      for (int in = 0; in < ins; in++) {
        boolean outIn = op.layout() == WeightLayout.OUT_IN;
        double whole = call.in(0)[outIn ? out * ins + in : in * norms.length + out];
        for (int k = 0; k < rank; k++) {
          whole += op.scale() * call.in(2)[out * rank + k] * call.in(1)[k * ins + in];
        }
        norms[out] += whole * whole;
      }
      norms[out] = Math.sqrt(norms[out]);
    }
    return List.of(norms);
  }

  static List<double[]> maskedWeight(Oracle.Call call) {
    MaskedWeight op = (MaskedWeight) call.op();
    int rank = call.dim(1, 0);
    int ins = call.dim(1, 1);
    int outs = call.dim(2, 0);
    double[] v = new double[outs * ins];
    for (int i = 0; i < v.length; i++) {
      double w = call.in(0)[place(op.layout(), i, outs, ins)];
      for (int k = 0; w != 0 && k < rank; k++) {
        v[i] += op.scale() * call.in(2)[i / ins * rank + k] * call.in(1)[k * ins + i % ins];
      }
      v[i] += w;
    }
    return List.of(v);
  }

  static List<double[]> maskedGradient(Oracle.Call call) {
    MaskedGradient op = (MaskedGradient) call.op();
    int outs = call.dim(0, 0);
    int ins = call.dim(0, 1);
    double[] g = new double[outs * ins];
    for (int i = 0; i < g.length; i++) {
      boolean kept = call.in(1)[place(op.layout(), i, outs, ins)] != 0;
      g[i] = kept ? op.scale() * call.in(0)[i] : 0;
    }
    return List.of(g);
  }

  /** Where element i of [outs, ins] stands in a weight of the layout. */
  private static int place(WeightLayout layout, int i, int outs, int ins) {
    return layout == WeightLayout.OUT_IN ? i : i % ins * outs + i / ins;
  }

  static List<double[]> magnitude(Oracle.Call call) {
    int width = call.dim(0, 1);
    double[] y = call.in(0).clone();
    for (int i = 0; i < y.length; i++) {
      y[i] *= call.in(1)[i % width] / call.in(2)[i % width];
      y[i] += ((Magnitude) call.op()).bias() ? call.in(3)[i % width] : 0;
    }
    return List.of(y);
  }

  static List<double[]> magnitudeGradient(Oracle.Call call) {
    double[] dm = new double[call.dim(0, 1)];
    double[] dNorm = new double[dm.length];
    for (int i = 0; i < call.in(0).length; i++) {
      dm[i % dm.length] += call.in(0)[i] * call.in(1)[i];
    }
    for (int j = 0; j < dm.length; j++) {
      double norm = call.in(3)[j];
      dNorm[j] = -dm[j] * call.in(2)[j] / (norm * norm);
      dm[j] /= norm;
    }
    return List.of(dm, dNorm);
  }
}
