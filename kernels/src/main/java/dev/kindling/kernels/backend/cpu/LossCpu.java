package dev.kindling.kernels.backend.cpu;

import dev.kindling.kernels.backend.InputException;
import dev.kindling.kernels.backend.cpu.vector.ElementKernels;
import dev.kindling.kernels.backend.cpu.vector.LossKernels;
import dev.kindling.kernels.backend.cpu.vector.Operand;
import dev.kindling.kernels.graph.op.AddLoss;
import dev.kindling.kernels.graph.op.CrossEntropy;
import dev.kindling.kernels.graph.op.CrossEntropyWithGradient;

/** Cross entropy; row losses in fp32, their sum in fp64 with a fixed order. */
final class LossCpu {
  private LossCpu() {}

  static Runnable loss(Binding binding) {
    return bind(binding, binding.in(0), false);
  }

  static Runnable lossWithGradient(Binding binding) {
    Operand gradient = binding.out(2);
    Runnable loss = bind(binding, gradient, true);
    if (binding.op(CrossEntropyWithGradient.class).inPlace()) {
      return loss;
    }
    Operand logits = binding.in(0);
    ElementKernels elements = binding.rows().elements();
    int count = binding.inElements(0);
    return () -> {
      elements.copy(logits, gradient, 0, count);
      loss.run();
    };
  }

  private static Runnable bind(Binding binding, Operand logits, boolean gradient) {
    int tokens = binding.inShape(0).dim(0);
    int vocabulary = binding.inShape(0).dim(1);
    Operand targets = binding.in(1);
    Operand lossSum = binding.out(0);
    Operand tokenCount = binding.out(1);
    Operand losses = binding.scratch(tokens);
    LossKernels kernels = binding.rows().losses();
    ElementKernels elements = binding.rows().elements();
    Workers workers = binding.workers();
    int[] counted = new int[workers.count()];
    Workers.Task task =
        (from, to, worker) -> {
          check(targets, vocabulary, from, to);
          counted[worker] =
              kernels.crossEntropy(
                  logits, targets, losses, vocabulary, vocabulary, 1f, gradient, from, to);
        };
    return () -> {
      java.util.Arrays.fill(counted, 0);
      workers.run(task, tokens, Grain.rows(vocabulary));
      int total = 0;
      for (int count : counted) {
        total += count;
      }
      lossSum.set(0, (float) elements.sum(losses, 0, tokens));
      tokenCount.set(0, total);
    };
  }

  /** Row losses are rounded, so that their sum and the pair that holds it are exact. */
  static Runnable addLoss(Binding binding) {
    AddLoss op = binding.op(AddLoss.class);
    int tokens = binding.inShape(0).dim(0);
    int vocabulary = binding.inShape(0).dim(1);
    Operand logits = binding.in(0);
    Operand targets = binding.in(1);
    Operand sums = binding.out(0).plus(2 * op.place());
    Operand tokenCount = binding.out(1);
    Operand losses = binding.scratch(tokens);
    LossKernels kernels = binding.rows().losses();
    Workers workers = binding.workers();
    int[] counted = new int[workers.count()];
    Workers.Task task =
        (from, to, worker) -> {
          check(targets, vocabulary, from, to);
          counted[worker] =
              kernels.crossEntropy(
                  logits, targets, losses, vocabulary, vocabulary, 1f, false, from, to);
        };
    return () -> {
      java.util.Arrays.fill(counted, 0);
      workers.run(task, tokens, Grain.rows(vocabulary));
      double sum = (double) sums.get(0) + sums.get(1);
      for (int row = 0; row < tokens; row++) {
        sum += Math.rint(losses.get(row) / AddLoss.QUANTUM) * AddLoss.QUANTUM;
      }
      float high = (float) sum;
      sums.set(0, high);
      sums.set(1, (float) (sum - high));
      float count = 0;
      for (int worker = 0; worker < counted.length && op.place() == 0; worker++) {
        count += counted[worker];
      }
      tokenCount.set(0, Double.isFinite(sum) ? tokenCount.get(0) + count : Float.NaN);
    };
  }

  private static void check(Operand targets, int vocabulary, int from, int to) {
    for (int row = from; row < to; row++) {
      int target = targets.getInt(row);
      if (target != CrossEntropy.IGNORED && (target < 0 || target >= vocabulary)) {
        throw new InputException("CrossEntropy: target of row " + row, vocabulary, target);
      }
    }
  }
}
