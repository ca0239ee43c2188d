package dev.kindling.kernels.backend.cpu;

import dev.kindling.kernels.backend.cpu.blas.Form;
import dev.kindling.kernels.backend.cpu.vector.ElementKernels;
import dev.kindling.kernels.backend.cpu.vector.Operand;
import dev.kindling.kernels.graph.op.BiasGradient;
import dev.kindling.kernels.graph.op.Linear;
import dev.kindling.kernels.graph.op.LinearInputGradient;
import dev.kindling.kernels.graph.op.LinearOnto;
import dev.kindling.kernels.graph.op.LinearWeightGradient;
import dev.kindling.kernels.graph.op.WeightLayout;

/**
 * The three products of a linear layer and its bias. Gradients of weights go straight into their
 * variable.
 */
final class LinearCpu {
  private LinearCpu() {}

  static Runnable forward(Binding binding) {
    Linear op = binding.op(Linear.class);
    int tokens = binding.inShape(0).dim(0);
    int in = binding.inShape(0).dim(1);
    int out = binding.outShape(0).dim(1);
    Form form = op.layout() == WeightLayout.OUT_IN ? Form.NT : Form.NN;
    Operand y = binding.out(0);
    Operand[] abc = {binding.in(0), binding.in(1), y};
    Runnable product = new Product(binding, form, tokens, out, in, 0f, abc);
    if (!op.bias()) {
      return product;
    }
    Operand bias = binding.in(2);
    ElementKernels elements = binding.rows().elements();
    Workers workers = binding.workers();
    Workers.Task addBias = (from, to, worker) -> elements.addBias(bias, y, out, from, to);
    return () -> {
      product.run();
      workers.run(addBias, tokens, Grain.rows(out));
    };
  }

  static Runnable inputGradient(Binding binding) {
    LinearInputGradient op = binding.op(LinearInputGradient.class);
    int tokens = binding.inShape(0).dim(0);
    int out = binding.inShape(0).dim(1);
    int in = binding.outShape(0).dim(1);
    Form form = op.layout() == WeightLayout.OUT_IN ? Form.NN : Form.NT;
    Operand[] abc = {binding.in(0), binding.in(1), binding.out(0)};
    return new Product(binding, form, tokens, in, out, op.accumulate() ? 1f : 0f, abc);
  }

  static Runnable onto(Binding binding) {
    int tokens = binding.inShape(0).dim(0);
    int in = binding.inShape(0).dim(1);
    int out = binding.outShape(0).dim(1);
    float beta = binding.op(LinearOnto.class).over() ? 0f : 1f;
    Operand[] abc = {binding.in(0), binding.in(1), binding.out(0)};
    return new Product(binding, Form.NT, tokens, out, in, beta, abc);
  }

  static Runnable weightGradient(Binding binding) {
    LinearWeightGradient op = binding.op(LinearWeightGradient.class);
    int tokens = binding.inShape(0).dim(0);
    int in = binding.inShape(0).dim(1);
    int out = binding.inShape(1).dim(1);
    Operand x = binding.in(0);
    Operand dy = binding.in(1);
    Operand dw = binding.out(0);
    float beta = op.accumulate() ? 1f : 0f;
    return op.layout() == WeightLayout.OUT_IN
        ? new Product(binding, Form.TN, out, in, tokens, beta, new Operand[] {dy, x, dw})
        : new Product(binding, Form.TN, in, out, tokens, beta, new Operand[] {x, dy, dw});
  }

  static Runnable biasGradient(Binding binding) {
    int tokens = binding.inShape(0).dim(0);
    int width = binding.inShape(0).dim(1);
    Operand dy = binding.in(0);
    Operand sums = binding.out(0);
    boolean fresh = !binding.op(BiasGradient.class).accumulate();
    ElementKernels elements = binding.rows().elements();
    Workers workers = binding.workers();
    Workers.Task task =
        (from, to, worker) -> {
          if (fresh) {
            elements.fill(0f, sums, from, to);
          }
          elements.columnSums(dy, sums, tokens, width, from, to);
        };
    return () -> workers.run(task, width, Grain.rows(tokens));
  }
}
