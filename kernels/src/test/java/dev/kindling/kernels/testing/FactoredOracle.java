package dev.kindling.kernels.testing;

import dev.kindling.kernels.graph.StepScalar;
import dev.kindling.kernels.graph.op.Adafactor;
import dev.kindling.kernels.graph.op.FactoredMoments;
import java.util.Arrays;
import java.util.List;

/** Adafactor, from algorithm 4 of the paper: V = R C / (1'R) with R and C as sums. */
final class FactoredOracle {
  private FactoredOracle() {}

  static List<double[]> moments(Oracle.Call call) {
    double least = ((FactoredMoments) call.op()).least();
    double[] rows = call.in(1).clone();
    double[] columns = call.in(2).clone();
    double scale = call.in(3)[0];
    if (scale != 0) {
      double weight = call.in(4)[StepScalar.BIAS_CORRECTION2.ordinal()];
      double[] rowMeans = new double[rows.length];
      double[] columnMeans = new double[columns.length];
      for (int i = 0; i < rows.length * columns.length; i++) {
        double x = Math.pow(scale * call.in(0)[i], 2) + least;
        rowMeans[i / columns.length] += x / columns.length;
        columnMeans[i % columns.length] += x / rows.length;
      }
      blend(rows, rowMeans, weight);
      blend(columns, columnMeans, weight);
    }
    return List.of(rows, columns, new double[] {Arrays.stream(rows).average().orElseThrow()});
  }

  private static void blend(double[] kept, double[] fresh, double weight) {
    for (int i = 0; i < kept.length; i++) {
      kept[i] = (1 - weight) * kept[i] + weight * fresh[i];
    }
  }

  private static double[] update(double[] gradient, double[] rows, double[] columns, double mean) {
    double[] u = new double[gradient.length];
    for (int i = 0; i < u.length; i++) {
      double moment = rows[i / columns.length] * columns[i % columns.length] / mean;
      u[i] = gradient[i] / Math.sqrt(moment);
    }
    return u;
  }

  static List<double[]> rms(Oracle.Call call) {
    double scale = call.in(4)[0];
    double[] u = update(call.in(0), call.in(1), call.in(2), call.in(3)[0]);
    double squares = Arrays.stream(u).map(x -> scale * x * scale * x).average().orElseThrow();
    return List.of(new double[] {Math.sqrt(squares)});
  }

  static List<double[]> update(Oracle.Call call) {
    Adafactor op = (Adafactor) call.op();
    double[] p = call.in(0).clone();
    double scale = call.in(call.last() - 1)[0];
    double rate = call.in(call.last())[StepScalar.LEARNING_RATE.ordinal()];
    double[] u = update(call.in(1), call.in(2), call.in(3), call.in(4)[0]);
    double size = op.relative() ? Math.max(op.leastSize(), call.in(6)[0] / Math.sqrt(p.length)) : 1;
    double clipped = Math.max(1, call.in(5)[0] / op.clip());
    for (int i = 0; scale != 0 && i < p.length; i++) {
      p[i] -= rate * (size * scale * u[i] / clipped + op.weightDecay() * p[i]);
    }
    return List.of(p);
  }
}
