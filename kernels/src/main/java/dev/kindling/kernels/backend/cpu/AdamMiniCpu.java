package dev.kindling.kernels.backend.cpu;

import dev.kindling.kernels.backend.cpu.vector.Operand;
import dev.kindling.kernels.graph.StepScalar;
import dev.kindling.kernels.graph.op.AdamMini;

/** AdamW with one second moment for each run of elements: each run belongs to one thread. */
final class AdamMiniCpu {
  private final AdamMini op;
  private final Operand param;
  private final Operand gradient;
  private final Operand m;
  private final Operand v;
  private final Operand scale;
  private final Operand step;

  private AdamMiniCpu(Binding binding) {
    op = binding.op(AdamMini.class);
    param = binding.out(0);
    gradient = binding.in(1);
    m = binding.out(1);
    v = binding.out(2);
    scale = binding.in(4);
    step = binding.in(5);
  }

  static Runnable bind(Binding binding) {
    AdamMiniCpu kernel = new AdamMiniCpu(binding);
    Workers workers = binding.workers();
    int blocks = binding.inElements(3);
    Workers.Task task =
        (from, to, worker) -> {
          for (int block = from; block < to && kernel.scale.get(0) != 0; block++) {
            kernel.update(block);
          }
        };
    return () -> workers.run(task, blocks, Grain.rows(kernel.op.block()));
  }

  private void update(int block) {
    int first = block * op.block();
    float factor = scale.get(0);
    double squares = 0;
    for (int i = first; i < first + op.block(); i++) {
      float g = factor * gradient.get(i);
      squares = Math.fma((double) g, g, squares);
    }
    float mean = (float) (squares / op.block());
    v.set(block, Math.fma(1 - op.beta2(), mean - v.get(block), v.get(block)));
    float rate = step.get(StepScalar.LEARNING_RATE.ordinal());
    float keep = 1 - rate * op.weightDecay();
    float stepSize = rate / step.get(StepScalar.BIAS_CORRECTION1.ordinal());
    double correction = step.get(StepScalar.BIAS_CORRECTION2.ordinal());
    float rootScale = (float) (1 / Math.sqrt(correction));
    float root = Math.fma((float) Math.sqrt(v.get(block)), rootScale, op.eps());
    for (int i = first; i < first + op.block(); i++) {
      float g = factor * gradient.get(i);
      float mean1 = Math.fma(1 - op.beta1(), g - m.get(i), m.get(i));
      m.set(i, mean1);
      param.set(i, Math.fma(param.get(i), keep, -(stepSize * mean1 / root)));
    }
  }
}
