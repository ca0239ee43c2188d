package dev.kindling.kernels.backend.cpu;

import dev.kindling.kernels.backend.cpu.vector.Operand;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.StepScalar;
import dev.kindling.kernels.graph.op.Adafactor;
import dev.kindling.kernels.graph.op.FactoredMoments;

/** Adafactor: one number per row and one per column in the place of a matrix of second moments. */
final class FactoredCpu {
  private FactoredCpu() {}

  private static int columns(Shape gradient) {
    return gradient.rank() == 2 ? gradient.dim(1) : 1;
  }

  static Runnable moments(Binding binding) {
    float least = binding.op(FactoredMoments.class).least();
    int rowCount = binding.inShape(0).dim(0);
    int columnCount = columns(binding.inShape(0));
    Operand gradient = binding.in(0);
    Operand scale = binding.in(3);
    Operand step = binding.in(4);
    Operand rows = binding.out(0);
    Operand columns = binding.out(1);
    Operand mean = binding.out(2);
    Squares squares = i -> square(gradient.get(i), scale.get(0)) + least;
    Workers.Task byRow =
        (from, to, worker) -> {
          float weight = step.get(StepScalar.BIAS_CORRECTION2.ordinal());
          for (int row = from; row < to; row++) {
            double found = squares.mean(row * columnCount, 1, columnCount);
            rows.set(row, Math.fma(weight, (float) found - rows.get(row), rows.get(row)));
          }
        };
    Workers.Task byColumn =
        (from, to, worker) -> {
          float weight = step.get(StepScalar.BIAS_CORRECTION2.ordinal());
          for (int column = from; column < to; column++) {
            double found = squares.mean(column, columnCount, rowCount);
            float before = columns.get(column);
            columns.set(column, Math.fma(weight, (float) found - before, before));
          }
        };
    Workers workers = binding.workers();
    return () -> {
      if (scale.get(0) != 0) {
        workers.run(byRow, rowCount, Grain.rows(columnCount));
        workers.run(byColumn, columnCount, Grain.rows(rowCount));
      }
      double sum = 0;
      for (int row = 0; row < rowCount; row++) {
        sum += rows.get(row);
      }
      mean.set(0, (float) (sum / rowCount));
    };
  }

  private static float square(float gradient, float scale) {
    float g = scale * gradient;
    return g * g;
  }

  private interface Squares {
    float at(int index);

    /** Of so many elements. */
    default double mean(int first, int apart, int count) {
      double sum = 0;
      for (int i = 0; i < count; i++) {
        sum += at(first + i * apart);
      }
      return sum / count;
    }
  }

  /**
   * U of an element: gradient over the root of its moment, factor by factor, since of two small
   * factors fp32 has the roots' product but not their own.
   */
  private record Update(
      Operand gradient,
      Operand rows,
      Operand columns,
      Operand mean,
      Operand scale,
      int columnCount) {
    float at(int i) {
      float row = (float) Math.sqrt(rows.get(i / columnCount) / mean.get(0));
      float root = row * (float) Math.sqrt(columns.get(i % columnCount));
      float g = scale.get(0) * gradient.get(i);
      return g == 0 ? 0 : g / root;
    }
  }

  static Runnable rms(Binding binding) {
    Update update =
        new Update(
            binding.in(0),
            binding.in(1),
            binding.in(2),
            binding.in(3),
            binding.in(4),
            columns(binding.inShape(0)));
    Operand rms = binding.out(0);
    int elements = binding.inElements(0);
    return () -> {
      double sum = 0;
      for (int i = 0; i < elements && update.scale().get(0) != 0; i++) {
        double u = update.at(i);
        sum += u * u;
      }
      rms.set(0, (float) Math.sqrt(sum / elements));
    };
  }

  static Runnable update(Binding binding) {
    Adafactor op = binding.op(Adafactor.class);
    int last = binding.inputs() - 1;
    Operand scale = binding.in(last - 1);
    Operand step = binding.in(last);
    Operand rms = binding.in(5);
    Operand norm = binding.in(op.relative() ? 6 : 5);
    Operand param = binding.out(0);
    int elements = binding.inElements(0);
    Update update =
        new Update(
            binding.in(1),
            binding.in(2),
            binding.in(3),
            binding.in(4),
            scale,
            columns(binding.inShape(1)));
    float root = (float) Math.sqrt(elements);
    Workers.Task task =
        (from, to, worker) -> {
          float rate = step.get(StepScalar.LEARNING_RATE.ordinal());
          float keep = 1 - rate * op.weightDecay();
          float size = op.relative() ? Math.max(op.leastSize(), norm.get(0) / root) : 1;
          float far = rate * size / Math.max(1, rms.get(0) / op.clip());
          for (int i = from; i < to && scale.get(0) != 0; i++) {
            param.set(i, Math.fma(-far, update.at(i), param.get(i) * keep));
          }
        };
    Workers workers = binding.workers();
    return () -> workers.run(task, elements, Grain.ELEMENTS);
  }
}
