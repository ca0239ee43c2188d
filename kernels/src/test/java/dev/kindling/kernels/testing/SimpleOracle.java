package dev.kindling.kernels.testing;

import dev.kindling.kernels.graph.RopeScaling;
import dev.kindling.kernels.graph.StepScalar;
import dev.kindling.kernels.graph.op.EmbeddingGradient;
import dev.kindling.kernels.graph.op.Fill;
import dev.kindling.kernels.graph.op.GatherColumns;
import dev.kindling.kernels.graph.op.RandomNormal;
import dev.kindling.kernels.graph.op.Rope;
import dev.kindling.kernels.graph.op.SliceRows;
import dev.kindling.kernels.random.Philox;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Elementwise operations, columns, embedding, rotation. */
final class SimpleOracle {
  private static final double C = Math.sqrt(2 / Math.PI);

  private SimpleOracle() {}

  static List<double[]> add(Oracle.Call call) {
    double[] sum = call.in(0).clone();
    for (int i = 0; i < sum.length; i++) {
      sum[i] += call.in(1)[i];
    }
    return List.of(sum);
  }

  static List<double[]> fill(Oracle.Call call) {
    List<double[]> outputs = new ArrayList<>();
    for (double[] input : call.inputs()) {
      double[] output = new double[input.length];
      Arrays.fill(output, ((Fill) call.op()).value());
      outputs.add(output);
    }
    return outputs;
  }

  static List<double[]> randomNormal(Oracle.Call call) {
    RandomNormal op = (RandomNormal) call.op();
    long first = (long) call.in(0)[StepScalar.STEP.ordinal()] << 32;
    double[] output = new double[(int) op.shape().elements()];
    Arrays.setAll(output, i -> Philox.normal(op.key(), first + i));
    return List.of(output);
  }

  static List<double[]> embedding(Oracle.Call call) {
    int width = call.dim(0, 1);
    double[] ids = call.in(1);
    double[] output = new double[ids.length * width];
    for (int t = 0; t < ids.length; t++) {
      System.arraycopy(call.in(0), (int) ids[t] * width, output, t * width, width);
    }
    return List.of(output);
  }

  static List<double[]> embeddingGradient(Oracle.Call call) {
    EmbeddingGradient op = (EmbeddingGradient) call.op();
    int width = call.dim(0, 1);
    double[] table = op.accumulate() ? call.in(2).clone() : new double[op.rows() * width];
    for (int t = 0; t < call.dim(0, 0); t++) {
      for (int i = 0; i < width; i++) {
        table[(int) call.in(1)[t] * width + i] += call.in(0)[t * width + i];
      }
    }
    return List.of(table);
  }

  static List<double[]> gather(Oracle.Call call) {
    int[] columns = ((GatherColumns) call.op()).columns().toArray();
    int width = call.dim(0, 1);
    double[] output = new double[call.dim(0, 0) * columns.length];
    for (int i = 0; i < output.length; i++) {
      output[i] = call.in(0)[i / columns.length * width + columns[i % columns.length]];
    }
    return List.of(output);
  }

  static List<double[]> split(Oracle.Call call) {
    int width = call.dim(0, 1);
    List<double[]> outputs = new ArrayList<>();
    int start = 0;
    for (var type : call.outputTypes()) {
      int columns = type.shape().dim(1);
      double[] piece = new double[call.dim(0, 0) * columns];
      for (int i = 0; i < piece.length; i++) {
        piece[i] = call.in(0)[i / columns * width + start + i % columns];
      }
      outputs.add(piece);
      start += columns;
    }
    return outputs;
  }

  static List<double[]> concat(Oracle.Call call) {
    int width = call.outputTypes().get(0).shape().dim(1);
    double[] joint = new double[call.dim(0, 0) * width];
    int start = 0;
    for (int input = 0; input < call.inputs().size(); input++) {
      int columns = call.dim(input, 1);
      for (int i = 0; i < call.in(input).length; i++) {
        joint[i / columns * width + start + i % columns] = call.in(input)[i];
      }
      start += columns;
    }
    return List.of(joint);
  }

  static List<double[]> sliceRows(Oracle.Call call) {
    SliceRows op = (SliceRows) call.op();
    int row = call.in(0).length / call.dim(0, 0);
    int from = op.from() * row;
    return List.of(Arrays.copyOfRange(call.in(0), from, from + op.count() * row));
  }

  static List<double[]> concatRows(Oracle.Call call) {
    return List.of(call.inputs().stream().flatMapToDouble(Arrays::stream).toArray());
  }

  static List<double[]> rope(Oracle.Call call) {
    Rope op = (Rope) call.op();
    int half = op.headDim() / 2;
    int width = call.dim(0, 1);
    double[] x = call.in(0);
    double[] y = new double[x.length];
    for (int i = 0; i < x.length; i++) {
      int lane = i % width % op.headDim();
      double plain = Math.pow(op.frequencies().theta(), -2.0 * (lane % half) / op.headDim());
      double frequency = op.frequencies().scaling().map(s -> stretched(s, plain)).orElse(plain);
      double angle = call.in(1)[i / width] * frequency * (op.inverse() ? -1 : 1);
      double partner = lane < half ? -x[i + half] : x[i - half];
      y[i] = x[i] * Math.cos(angle) + partner * Math.sin(angle);
    }
    return List.of(y);
  }

  /** By wavelengths, as transformers says it. */
  private static double stretched(RopeScaling scaling, double frequency) {
    if (scaling instanceof RopeScaling.Linear linear) {
      return frequency / linear.factor();
    }
    RopeScaling.Llama3 llama = (RopeScaling.Llama3) scaling;
    double wavelength = 2 * Math.PI / frequency;
    double context = llama.originalMaxPositionEmbeddings();
    if (wavelength < context / llama.highFreqFactor()) {
      return frequency;
    }
    double far = frequency / llama.factor();
    if (wavelength > context / llama.lowFreqFactor()) {
      return far;
    }
    double near = context / wavelength - llama.lowFreqFactor();
    double share = near / (llama.highFreqFactor() - llama.lowFreqFactor());
    return (1 - share) * far + share * frequency;
  }

  static List<double[]> swiGlu(Oracle.Call call) {
    double[] y = new double[call.in(0).length];
    for (int i = 0; i < y.length; i++) {
      y[i] = call.in(0)[i] * sigmoid(call.in(0)[i]) * call.in(1)[i];
    }
    return List.of(y);
  }

  static List<double[]> swiGluGradient(Oracle.Call call) {
    double[] dgate = new double[call.in(0).length];
    double[] dup = new double[dgate.length];
    for (int i = 0; i < dgate.length; i++) {
      double gate = call.in(0)[i];
      double s = sigmoid(gate);
      dup[i] = call.in(2)[i] * gate * s;
      dgate[i] = call.in(2)[i] * call.in(1)[i] * s * (1 + gate * (1 - s));
    }
    return List.of(dgate, dup);
  }

  private static double sigmoid(double x) {
    return 1 / (1 + Math.exp(-x));
  }

  static List<double[]> gelu(Oracle.Call call) {
    return List.of(
        Arrays.stream(call.in(0))
            .map(x -> 0.5 * x * (1 + Math.tanh(C * (x + 0.044715 * x * x * x))))
            .toArray());
  }

  static List<double[]> geluGradient(Oracle.Call call) {
    double[] dx = new double[call.in(0).length];
    for (int i = 0; i < dx.length; i++) {
      double x = call.in(0)[i];
      double t = Math.tanh(C * (x + 0.044715 * x * x * x));
      double slope = 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * C * (1 + 3 * 0.044715 * x * x);
      dx[i] = call.in(1)[i] * slope;
    }
    return List.of(dx);
  }
}
