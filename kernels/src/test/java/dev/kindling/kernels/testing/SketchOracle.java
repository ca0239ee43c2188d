package dev.kindling.kernels.testing;

import dev.kindling.kernels.graph.Channels;
import dev.kindling.kernels.graph.StepScalar;
import dev.kindling.kernels.graph.op.ScaledUpdate;
import dev.kindling.kernels.graph.op.Sketch;
import dev.kindling.kernels.graph.op.SketchMoments;
import dev.kindling.kernels.random.SketchNumbers;
import java.util.List;

/** APOLLO in fp64, channel by channel as algorithm 1 of 2412.05270 writes it. */
final class SketchOracle {
  private SketchOracle() {}

  /** Element of channel j at place i of the contracted dimension. */
  private static double element(Channels channels, double[] matrix, int j, int i) {
    return channels.areRows()
        ? matrix[j * channels.columns() + i]
        : matrix[i * channels.columns() + j];
  }

  static List<double[]> sketch(Oracle.Call call) {
    Sketch op = (Sketch) call.op();
    Channels channels = op.channels();
    long step = (long) call.in(1)[StepScalar.STEP.ordinal()];
    long drawing = (step - 1) / op.interval();
    double[] sketch = new double[channels.own() * op.rank()];
    double[] squares = new double[channels.own()];
    for (int j = 0; j < channels.own(); j++) {
      for (int i = 0; i < channels.contracted(); i++) {
        double g = element(channels, call.in(0), j, i);
        squares[j] += g * g;
        for (int k = 0; k < op.rank(); k++) {
          long place = (long) i * op.rank() + k;
          sketch[j * op.rank() + k] += g * SketchNumbers.number(op.key(), drawing, place);
        }
      }
    }
    return List.of(sketch, squares);
  }

  static List<double[]> moments(Oracle.Call call) {
    SketchMoments op = (SketchMoments) call.op();
    int channels = call.in(1).length;
    int rank = call.in(0).length / channels;
    double[] m = call.in(2).clone();
    double[] v = call.in(3).clone();
    double scale = call.in(4)[0];
    double[] factors = new double[channels];
    double[] sums = new double[3];
    for (int j = 0; scale != 0 && j < channels; j++) {
      double after = 0;
      double before = 0;
      for (int i = j * rank; i < (j + 1) * rank; i++) {
        double r = scale * call.in(0)[i] / Math.sqrt(rank);
        m[i] = op.beta1() * m[i] + (1.0 - op.beta1()) * r;
        v[i] = op.beta2() * v[i] + (1.0 - op.beta2()) * r * r;
        after += Math.pow(m[i] / (Math.sqrt(v[i]) + op.eps()), 2);
        before += r * r;
      }
      factors[j] = Math.sqrt(after) / (Math.sqrt(before) + 1e-8);
      sums[0] += after / op.copies();
      sums[1] += before / op.copies();
      double weight = op.perChannel() ? factors[j] * factors[j] : 1;
      sums[2] += weight * scale * scale * call.in(1)[j];
    }
    return List.of(m, v, factors, sums);
  }

  static List<double[]> update(Oracle.Call call) {
    ScaledUpdate op = (ScaledUpdate) call.op();
    double[] p = call.in(0).clone();
    double[] sums = call.in(3);
    double scale = call.in(call.last() - 1)[0];
    double[] step = call.in(call.last());
    double rate = step[StepScalar.LEARNING_RATE.ordinal()];
    double factor = op.perChannel() ? 1 : Math.sqrt(sums[0]) / (Math.sqrt(sums[1]) + 1e-8);
    double length = factor * Math.sqrt(sums[2]) * (op.front() ? op.alpha() : 1);
    double limit = 1;
    double[] norm = op.limits() ? call.in(4).clone() : new double[1];
    if (op.limits() && scale != 0) {
      double growth = length / (norm[0] + 1e-8);
      limit = norm[0] != 0 && growth > op.growth() ? growth / op.growth() : 1;
      norm[0] = length / limit;
    }
    double corrected =
        rate
            * Math.sqrt(step[StepScalar.BIAS_CORRECTION2.ordinal()])
            / step[StepScalar.BIAS_CORRECTION1.ordinal()];
    int columns = op.channels().columns();
    for (int i = 0; scale != 0 && i < p.length; i++) {
      int channel = op.channels().areRows() ? i / columns : i % columns;
      double own = op.perChannel() ? call.in(2)[channel] : factor;
      p[i] -= corrected * op.alpha() / limit * own * scale * call.in(1)[i];
      p[i] -= rate * op.weightDecay() * p[i];
    }
    return op.limits() ? List.of(p, norm) : List.of(p);
  }
}
