package dev.kindling.kernels.testing;

import dev.kindling.kernels.graph.op.Accumulation;
import dev.kindling.kernels.graph.op.LayerNorm;
import dev.kindling.kernels.graph.op.LayerNormGradient;
import dev.kindling.kernels.graph.op.ResidualLayerNorm;
import dev.kindling.kernels.graph.op.ResidualRmsNorm;
import dev.kindling.kernels.graph.op.RmsNorm;
import dev.kindling.kernels.graph.op.RmsNormGradient;
import java.util.ArrayList;
import java.util.List;

/** Norms. */
final class NormOracle {
  private NormOracle() {}

  static List<double[]> rms(Oracle.Call call) {
    return rms(call.in(0), call.in(1), ((RmsNorm) call.op()).eps());
  }

  static List<double[]> residualRms(Oracle.Call call) {
    double[] sum = SimpleOracle.add(call).get(0);
    List<double[]> outputs = new ArrayList<>(List.of(sum));
    outputs.addAll(rms(sum, call.in(2), ((ResidualRmsNorm) call.op()).eps()));
    return outputs;
  }

  private static List<double[]> rms(double[] x, double[] gain, double eps) {
    int width = gain.length;
    double[] y = new double[x.length];
    double[] r = new double[x.length / width];
    for (int t = 0; t < r.length; t++) {
      double squares = 0;
      for (int i = 0; i < width; i++) {
        squares += x[t * width + i] * x[t * width + i];
      }
      r[t] = 1 / Math.sqrt(squares / width + eps);
      for (int i = 0; i < width; i++) {
        y[t * width + i] = x[t * width + i] * r[t] * gain[i];
      }
    }
    return List.of(y, r);
  }

  static List<double[]> layer(Oracle.Call call) {
    return layer(call.in(0), call.in(1), call.in(2), ((LayerNorm) call.op()).eps());
  }

  static List<double[]> residualLayer(Oracle.Call call) {
    double[] sum = SimpleOracle.add(call).get(0);
    List<double[]> outputs = new ArrayList<>(List.of(sum));
    double eps = ((ResidualLayerNorm) call.op()).eps();
    outputs.addAll(layer(sum, call.in(2), call.in(3), eps));
    return outputs;
  }

  private static List<double[]> layer(double[] x, double[] gain, double[] bias, double eps) {
    int width = gain.length;
    double[] y = new double[x.length];
    double[] moments = new double[x.length / width * 2];
    for (int t = 0; t < x.length / width; t++) {
      double mean = 0;
      double squares = 0;
      for (int i = 0; i < width; i++) {
        mean += x[t * width + i] / width;
      }
      for (int i = 0; i < width; i++) {
        squares += Math.pow(x[t * width + i] - mean, 2) / width;
      }
      double r = 1 / Math.sqrt(squares + eps);
      moments[2 * t] = mean;
      moments[2 * t + 1] = r;
      for (int i = 0; i < width; i++) {
        y[t * width + i] = (x[t * width + i] - mean) * r * gain[i] + bias[i];
      }
    }
    return List.of(y, moments);
  }

  static List<double[]> rmsGradient(Oracle.Call call) {
    RmsNormGradient op = (RmsNormGradient) call.op();
    double[] x = call.in(0);
    double[] gain = call.in(1);
    double[] dy = call.in(3);
    int width = gain.length;
    double[] dx = op.residual() ? call.in(4).clone() : new double[x.length];
    double[] dgain = start(op.gain(), call, call.last(), width);
    for (int t = 0; t < x.length / width; t++) {
      double r = call.in(2)[t];
      double dot = 0;
      for (int i = 0; i < width; i++) {
        dot += gain[i] * dy[t * width + i] * x[t * width + i];
        dgain[i] += dy[t * width + i] * x[t * width + i] * r;
      }
      for (int i = 0; i < width; i++) {
        int at = t * width + i;
        dx[at] += r * gain[i] * dy[at] - r * r * r / width * dot * x[at];
      }
    }
    return op.gain() == Accumulation.NONE ? List.of(dx) : List.of(dx, dgain);
  }

  static List<double[]> layerGradient(Oracle.Call call) {
    LayerNormGradient op = (LayerNormGradient) call.op();
    double[] x = call.in(0);
    double[] gain = call.in(1);
    double[] dy = call.in(3);
    int width = gain.length;
    int first = op.residual() ? 5 : 4;
    double[] dx = op.residual() ? call.in(4).clone() : new double[x.length];
    double[] dgain = start(op.gain(), call, first, width);
    double[] dbias = start(op.bias(), call, call.last(), width);
    for (int t = 0; t < x.length / width; t++) {
      double mean = call.in(2)[2 * t];
      double r = call.in(2)[2 * t + 1];
      double sumH = 0;
      double sumHn = 0;
      for (int i = 0; i < width; i++) {
        int at = t * width + i;
        double n = (x[at] - mean) * r;
        sumH += gain[i] * dy[at] / width;
        sumHn += gain[i] * dy[at] * n / width;
        dgain[i] += dy[at] * n;
        dbias[i] += dy[at];
      }
      for (int i = 0; i < width; i++) {
        int at = t * width + i;
        dx[at] += r * (gain[i] * dy[at] - sumH - (x[at] - mean) * r * sumHn);
      }
    }
    List<double[]> outputs = new ArrayList<>(List.of(dx));
    if (op.gain() != Accumulation.NONE) {
      outputs.add(dgain);
    }
    if (op.bias() != Accumulation.NONE) {
      outputs.add(dbias);
    }
    return outputs;
  }

  private static double[] start(Accumulation mode, Oracle.Call call, int input, int width) {
    return mode == Accumulation.INTO_VARIABLE ? call.in(input).clone() : new double[width];
  }
}
