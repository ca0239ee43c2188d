package dev.kindling.kernels.backend.cpu;

import dev.kindling.kernels.backend.cpu.vector.Operand;
import dev.kindling.kernels.graph.StepScalar;
import dev.kindling.kernels.graph.op.AdamDirection;
import dev.kindling.kernels.graph.op.Descend;
import dev.kindling.kernels.graph.op.Momentum;
import dev.kindling.kernels.graph.op.Normalize;
import dev.kindling.kernels.graph.op.WeightedSum;

/** A direction from the gradient, what is made of it, and a step along it. */
final class DirectionCpu {
  private DirectionCpu() {}

  static Runnable momentum(Binding binding) {
    Momentum op = binding.op(Momentum.class);
    Operand gradient = binding.in(0);
    Operand scale = binding.in(2);
    Operand direction = binding.out(0);
    Operand buffer = binding.out(1);
    float rest = 1 - op.momentum();
    return elementwise(
        binding,
        i -> {
          float factor = scale.get(0);
          if (factor == 0) {
            direction.set(i, 0);
            return;
          }
          float g = factor * gradient.get(i);
          float mean = Math.fma(rest, g - buffer.get(i), buffer.get(i));
          buffer.set(i, mean);
          direction.set(i, op.nesterov() ? Math.fma(rest, g - mean, mean) : mean);
        });
  }

  static Runnable adam(Binding binding) {
    AdamDirection op = binding.op(AdamDirection.class);
    Operand gradient = binding.in(0);
    Operand scale = binding.in(3);
    Operand step = binding.in(4);
    Operand direction = binding.out(0);
    Operand m = binding.out(1);
    Operand v = binding.out(2);
    return elementwise(
        binding,
        i -> {
          float factor = scale.get(0);
          if (factor == 0) {
            direction.set(i, 0);
            return;
          }
          float g = factor * gradient.get(i);
          float first = Math.fma(1 - op.beta1(), g - m.get(i), m.get(i));
          float second = Math.fma(1 - op.beta2(), Math.fma(g, g, -v.get(i)), v.get(i));
          m.set(i, first);
          v.set(i, second);
          float mean = first / step.get(StepScalar.BIAS_CORRECTION1.ordinal());
          float square = second / step.get(StepScalar.BIAS_CORRECTION2.ordinal());
          direction.set(i, mean / ((float) Math.sqrt(square) + op.eps()));
        });
  }

  static Runnable normalize(Binding binding) {
    float least = binding.op(Normalize.class).least();
    Operand x = binding.in(0);
    Operand norm = binding.in(1);
    Operand y = binding.out(0);
    return elementwise(binding, i -> y.set(i, x.get(i) / Math.max(norm.get(0), least)));
  }

  static Runnable weightedSum(Binding binding) {
    WeightedSum op = binding.op(WeightedSum.class);
    Operand x = binding.in(0);
    Operand y = binding.in(1);
    Operand z = binding.out(0);
    float a = op.a();
    float b = op.b();
    return b == 0
        ? elementwise(binding, i -> z.set(i, a * x.get(i)))
        : elementwise(binding, i -> z.set(i, Math.fma(a, x.get(i), b * y.get(i))));
  }

  static Runnable descend(Binding binding) {
    Descend op = binding.op(Descend.class);
    Operand direction = binding.in(1);
    Operand scale = binding.in(2);
    Operand step = binding.in(3);
    Operand param = binding.out(0);
    return elementwise(
        binding,
        i -> {
          if (scale.get(0) != 0) {
            float rate = step.get(StepScalar.LEARNING_RATE.ordinal());
            float keep = 1 - rate * op.weightDecay();
            float far = rate * op.factor();
            param.set(i, Math.fma(-far, direction.get(i), param.get(i) * keep));
          }
        });
  }

  private interface Element {
    void at(int index);
  }

  private static Runnable elementwise(Binding binding, Element element) {
    Workers workers = binding.workers();
    int elements = binding.inElements(0);
    Workers.Task task =
        (from, to, worker) -> {
          for (int i = from; i < to; i++) {
            element.at(i);
          }
        };
    return () -> workers.run(task, elements, Grain.ELEMENTS);
  }
}
