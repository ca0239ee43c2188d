package dev.kindling.kernels.testing;

import dev.kindling.kernels.graph.StepScalar;
import dev.kindling.kernels.graph.op.AdamMini;
import dev.kindling.kernels.graph.op.AdamW;
import dev.kindling.kernels.graph.op.GlobalNorm;
import dev.kindling.kernels.graph.op.Lion;
import dev.kindling.kernels.graph.op.Sgd;
import java.util.List;

/** Norm, clip and updates. */
final class UpdateOracle {
  private UpdateOracle() {}

  static List<double[]> globalNorm(Oracle.Call call) {
    double squares = 0;
    GlobalNorm op = (GlobalNorm) call.op();
    int gradients = op.gradients(call.inputs().size());
    for (double[] gradient : call.inputs().subList(0, gradients)) {
      for (double x : gradient) {
        squares += x * x;
      }
    }
    return List.of(new double[] {Math.sqrt(squares) / (op.mean() ? call.in(gradients)[0] : 1)});
  }

  static List<double[]> clipScale(Oracle.Call call) {
    double norm = call.in(0)[0];
    double tokens = call.in(1)[0];
    double clip = call.in(2)[StepScalar.CLIP_NORM.ordinal()];
    boolean finite =
        Double.isFinite(norm) && (call.inputs().size() == 3 || Double.isFinite(call.in(3)[0]));
    double factor = clip > 0 ? Math.min(1, clip / (norm + 1e-6)) : 1;
    return List.of(new double[] {finite && tokens > 0 ? factor / tokens : 0});
  }

  static List<double[]> adamW(Oracle.Call call) {
    AdamW op = (AdamW) call.op();
    double[] p = call.in(0).clone();
    double[] m = call.in(2).clone();
    double[] v = call.in(3).clone();
    double scale = call.in(4)[0];
    double[] step = call.in(5);
    for (int i = 0; scale != 0 && i < p.length; i++) {
      double g = scale * call.in(1)[i];
      m[i] = op.beta1() * m[i] + (1.0 - op.beta1()) * g;
      v[i] = op.beta2() * v[i] + (1.0 - op.beta2()) * g * g;
      double mHat = m[i] / step[StepScalar.BIAS_CORRECTION1.ordinal()];
      double vHat = v[i] / step[StepScalar.BIAS_CORRECTION2.ordinal()];
      double rate = step[StepScalar.LEARNING_RATE.ordinal()];
      p[i] -= rate * (mHat / (Math.sqrt(vHat) + op.eps()) + op.weightDecay() * p[i]);
    }
    return List.of(p, m, v);
  }

  static List<double[]> lion(Oracle.Call call) {
    Lion op = (Lion) call.op();
    double[] p = call.in(0).clone();
    double[] m = call.in(2).clone();
    double scale = call.in(3)[0];
    double rate = call.in(4)[StepScalar.LEARNING_RATE.ordinal()];
    for (int i = 0; scale != 0 && i < p.length; i++) {
      double g = scale * call.in(1)[i];
      double c = op.beta1() * m[i] + (1.0 - op.beta1()) * g;
      p[i] -= rate * (Math.signum(c) + op.weightDecay() * p[i]);
      m[i] = op.beta2() * m[i] + (1.0 - op.beta2()) * g;
    }
    return List.of(p, m);
  }

  static List<double[]> adamMini(Oracle.Call call) {
    AdamMini op = (AdamMini) call.op();
    double[] p = call.in(0).clone();
    double[] m = call.in(2).clone();
    double[] v = call.in(3).clone();
    double scale = call.in(4)[0];
    double[] step = call.in(5);
    for (int block = 0; scale != 0 && block < v.length; block++) {
      double squares = 0;
      for (int i = block * op.block(); i < (block + 1) * op.block(); i++) {
        squares += scale * call.in(1)[i] * scale * call.in(1)[i];
      }
      v[block] = op.beta2() * v[block] + (1.0 - op.beta2()) * squares / op.block();
      double vHat = v[block] / step[StepScalar.BIAS_CORRECTION2.ordinal()];
      for (int i = block * op.block(); i < (block + 1) * op.block(); i++) {
        m[i] = op.beta1() * m[i] + (1.0 - op.beta1()) * scale * call.in(1)[i];
        double mHat = m[i] / step[StepScalar.BIAS_CORRECTION1.ordinal()];
        double rate = step[StepScalar.LEARNING_RATE.ordinal()];
        p[i] -= rate * (mHat / (Math.sqrt(vHat) + op.eps()) + op.weightDecay() * p[i]);
      }
    }
    return List.of(p, m, v);
  }

  static List<double[]> sgd(Oracle.Call call) {
    Sgd op = (Sgd) call.op();
    boolean buffered = op.momentum() != 0;
    double[] p = call.in(0).clone();
    double[] buffer = buffered ? call.in(2).clone() : new double[p.length];
    double scale = call.in(call.last() - 1)[0];
    double rate = call.in(call.last())[StepScalar.LEARNING_RATE.ordinal()];
    for (int i = 0; scale != 0 && i < p.length; i++) {
      double g = scale * call.in(1)[i] + op.weightDecay() * p[i];
      buffer[i] = op.momentum() * buffer[i] + g;
      p[i] -= rate * (op.nesterov() ? g + op.momentum() * buffer[i] : buffer[i]);
    }
    return buffered ? List.of(p, buffer) : List.of(p);
  }
}
