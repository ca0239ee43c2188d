package dev.kindling.kernels.backend.cpu;

import dev.kindling.kernels.backend.cpu.vector.ElementKernels;
import dev.kindling.kernels.backend.cpu.vector.Operand;
import dev.kindling.kernels.graph.op.Dropout;
import dev.kindling.kernels.graph.op.Magnitude;
import dev.kindling.kernels.graph.op.MaskedGradient;
import dev.kindling.kernels.graph.op.MaskedWeight;
import dev.kindling.kernels.graph.op.RowNorms;
import dev.kindling.kernels.graph.op.Scale;
import dev.kindling.kernels.graph.op.ScatterColumns;
import dev.kindling.kernels.graph.op.WeightLayout;
import dev.kindling.kernels.random.Philox;
import java.util.Arrays;

/** What adapters add beside a product. */
final class AdapterCpu {
  private AdapterCpu() {}

  static Runnable scale(Binding binding) {
    float factor = binding.op(Scale.class).factor();
    Operand x = binding.in(0);
    Operand y = binding.out(0);
    Workers workers = binding.workers();
    Workers.Task task =
        (from, to, worker) -> {
          for (int i = from; i < to; i++) {
            y.set(i, factor * x.get(i));
          }
        };
    int elements = binding.inElements(0);
    return () -> workers.run(task, elements, Grain.ELEMENTS);
  }

  static Runnable scatterColumns(Binding binding) {
    ScatterColumns op = binding.op(ScatterColumns.class);
    int[] columns = op.columns().toArray();
    boolean outIn = op.layout() == WeightLayout.OUT_IN;
    int width = binding.inShape(2).dim(1);
    int narrow = binding.inShape(0).dim(1);
    Operand base = binding.in(0);
    Operand delta = binding.in(1);
    Operand weight = binding.out(0);
    Workers workers = binding.workers();
    Workers.Task task =
        (from, to, worker) -> {
          for (int i = from; i < to; i++) {
            int row = i / narrow;
            int column = i % narrow;
            int at = outIn ? row * width + columns[column] : columns[row] * width + column;
            weight.set(at, base.get(i) + op.scale() * delta.get(i));
          }
        };
    int elements = binding.inElements(0);
    return () -> workers.run(task, elements, Grain.ELEMENTS);
  }

  static Runnable dropout(Binding binding) {
    Dropout op = binding.op(Dropout.class);
    int width = binding.inShape(0).dim(1);
    int tokens = binding.inShape(0).dim(0);
    Operand x = binding.in(0);
    Operand y = binding.out(0);
    dev.kindling.kernels.memory.Span place = binding.inPiece(1).span();
    Workers workers = binding.workers();
    Workers.Task task =
        (from, to, worker) -> {
          long first = (place.getInt(0) & 0xFFFFFFFFL) | (long) place.getInt(1) << 32;
          for (int row = from; row < to; row++) {
            long counter = (first + row) * width;
            for (int i = 0; i < width; i++) {
              int at = row * width + i;
              boolean kept = Philox.word(op.key(), counter + i) >= op.threshold();
              y.set(at, kept ? op.gain() * x.get(at) : 0f);
            }
          }
        };
    return () -> workers.run(task, tokens, Grain.rows(width));
  }

  static Runnable rowNorms(Binding binding) {
    RowNorms op = binding.op(RowNorms.class);
    boolean outIn = op.layout() == WeightLayout.OUT_IN;
    int outs = binding.outShape(0).dim(0);
    int rank = binding.inShape(1).dim(0);
    int ins = binding.inShape(1).dim(1);
    Operand weight = binding.in(0);
    Operand a = binding.in(1);
    Operand b = binding.in(2);
    Operand norms = binding.out(0);
    Workers workers = binding.workers();
    Workers.Task task =
        (from, to, worker) -> {
          for (int out = from; out < to; out++) {
            double squares = 0;
            for (int in = 0; in < ins; in++) {
              float branch = 0;
              for (int k = 0; k < rank; k++) {
                branch += b.get(out * rank + k) * a.get(k * ins + in);
              }
              float whole =
                  weight.get(outIn ? out * ins + in : in * outs + out) + op.scale() * branch;
              squares += (double) whole * whole;
            }
            norms.set(out, (float) Math.sqrt(squares));
          }
        };
    return () -> workers.run(task, outs, Grain.rows(Math.max(1, ins * rank)));
  }

  static Runnable maskedWeight(Binding binding) {
    MaskedWeight op = binding.op(MaskedWeight.class);
    boolean outIn = op.layout() == WeightLayout.OUT_IN;
    int outs = binding.outShape(0).dim(0);
    int ins = binding.outShape(0).dim(1);
    int rank = binding.inShape(1).dim(0);
    Operand weight = binding.in(0);
    Operand[] a = rows(binding.in(1), rank, ins);
    Operand b = binding.in(2);
    Operand[] v = rows(binding.out(0), outs, ins);
    ElementKernels elements = binding.rows().elements();
    Workers workers = binding.workers();
    Workers.Task task =
        (from, to, worker) -> {
          for (int out = from; out < to; out++) {
            Operand row = v[out];
            elements.fill(0f, row, 0, ins);
            for (int k = 0; k < rank; k++) {
              elements.axpy(op.scale() * b.get(out * rank + k), a[k], row, 0, ins);
            }
            for (int in = 0; in < ins; in++) {
              float w = weight.get(outIn ? out * ins + in : in * outs + out);
              row.set(in, w == 0f ? 0f : w + row.get(in));
            }
          }
        };
    return () -> workers.run(task, outs, Grain.rows(Math.max(1, ins * rank)));
  }

  private static Operand[] rows(Operand matrix, int rows, int width) {
    Operand[] each = new Operand[rows];
    Arrays.setAll(each, row -> matrix.plus(row * width));
    return each;
  }

  static Runnable maskedGradient(Binding binding) {
    MaskedGradient op = binding.op(MaskedGradient.class);
    boolean outIn = op.layout() == WeightLayout.OUT_IN;
    int outs = binding.outShape(0).dim(0);
    int ins = binding.outShape(0).dim(1);
    Operand dv = binding.in(0);
    Operand weight = binding.in(1);
    Operand g = binding.out(0);
    Workers workers = binding.workers();
    Workers.Task task =
        (from, to, worker) -> {
          for (int out = from; out < to; out++) {
            for (int in = 0; in < ins; in++) {
              float w = weight.get(outIn ? out * ins + in : in * outs + out);
              int at = out * ins + in;
              g.set(at, w == 0f ? 0f : op.scale() * dv.get(at));
            }
          }
        };
    return () -> workers.run(task, outs, Grain.rows(ins));
  }

  static Runnable magnitude(Binding binding) {
    boolean biased = binding.op(Magnitude.class).bias();
    int tokens = binding.inShape(0).dim(0);
    int width = binding.inShape(0).dim(1);
    Operand v = binding.in(0);
    Operand m = binding.in(1);
    Operand norms = binding.in(2);
    Operand bias = biased ? binding.in(3) : norms;
    Operand y = binding.out(0);
    Workers workers = binding.workers();
    Workers.Task task =
        (from, to, worker) -> {
          for (int i = from * width; i < to * width; i++) {
            int column = i % width;
            float scaled = v.get(i) * (m.get(column) / norms.get(column));
            y.set(i, biased ? scaled + bias.get(column) : scaled);
          }
        };
    return () -> workers.run(task, tokens, Grain.rows(width));
  }

  static Runnable magnitudeGradient(Binding binding) {
    int tokens = binding.inShape(0).dim(0);
    int width = binding.inShape(0).dim(1);
    Operand v = binding.in(0);
    Operand dy = binding.in(1);
    Operand m = binding.in(2);
    Operand norms = binding.in(3);
    Operand dm = binding.out(0);
    Operand dNorm = binding.out(1);
    Workers workers = binding.workers();
    Workers.Task task =
        (from, to, worker) -> {
          for (int column = from; column < to; column++) {
            double sum = 0;
            for (int row = 0; row < tokens; row++) {
              sum += (double) v.get(row * width + column) * dy.get(row * width + column);
            }
            double norm = norms.get(column);
            dm.set(column, (float) (sum / norm));
            dNorm.set(column, (float) (-sum * m.get(column) / (norm * norm)));
          }
        };
    return () -> workers.run(task, width, Grain.rows(tokens));
  }
}
