package dev.kindling.kernels.backend.cpu;

import dev.kindling.kernels.backend.cpu.vector.Operand;
import dev.kindling.kernels.graph.StepScalar;
import dev.kindling.kernels.graph.op.DynamicCode;
import dev.kindling.kernels.graph.op.QuantizedAdamW;

/** AdamW over moments of 8 bits, block by block: each block belongs to one thread. */
final class QuantizedAdamWCpu {
  private static final int BLOCK = QuantizedAdamW.BLOCK;

  private final QuantizedAdamW op;
  private final Operand param;
  private final Operand gradient;
  private final Moment m;
  private final Moment v;
  private final Operand scale;
  private final Operand step;
  private final int elements;

  /** One moment: its codes, its scales, and the fp32 values of a block for each worker. */
  private record Moment(Operand codes, Operand scales, DynamicCode code, float[][] values) {
    static Moment of(Binding binding, int row, DynamicCode code) {
      int workers = binding.workers().count();
      Operand scales = binding.out(3).plus(row * binding.outShape(3).dim(1));
      return new Moment(binding.out(1 + row), scales, code, new float[workers][BLOCK]);
    }

    void decode(int block, int count, int worker) {
      float[] block32 = values[worker];
      float largest = scales.get(block);
      for (int i = 0; i < count; i++) {
        int at = block * BLOCK + i;
        int word = codes.getInt(at / 4);
        block32[i] = code.number(word >>> (8 * (at % 4)) & 0xFF) * largest;
      }
    }

    void encode(int block, int count, int worker) {
      float[] block32 = values[worker];
      float largest = 0;
      for (int i = 0; i < count; i++) {
        largest = Math.max(largest, Math.abs(block32[i]));
      }
      scales.set(block, largest);
      for (int first = 0; first < count; first += 4) {
        int word = 0;
        for (int i = first; i < Math.min(count, first + 4); i++) {
          float share = largest == 0 ? 0 : block32[i] / largest;
          word |= code.code(share) << (8 * (i % 4));
        }
        int at = codes.at() + (block * BLOCK + first) / 4;
        codes.buffer().putInt(at * Integer.BYTES, word);
      }
    }
  }

  private QuantizedAdamWCpu(Binding binding) {
    op = binding.op(QuantizedAdamW.class);
    param = binding.out(0);
    gradient = binding.in(1);
    m = Moment.of(binding, 0, DynamicCode.SIGNED);
    v = Moment.of(binding, 1, DynamicCode.UNSIGNED);
    scale = binding.in(5);
    step = binding.in(6);
    elements = binding.inElements(0);
  }

  static Runnable bind(Binding binding) {
    QuantizedAdamWCpu kernel = new QuantizedAdamWCpu(binding);
    Workers workers = binding.workers();
    int blocks = (kernel.elements + BLOCK - 1) / BLOCK;
    Workers.Task task = kernel::update;
    if (kernel.op.roundingKey().isEmpty()) {
      return () -> workers.run(task, blocks, Grain.rows(BLOCK));
    }
    Workers.Task rounding =
        UpdateCpu.rounding(
            kernel.param,
            kernel.scale,
            kernel.step,
            kernel.op.roundingKey().get(),
            workers.count());
    return () -> {
      workers.run(task, blocks, Grain.rows(BLOCK));
      workers.run(rounding, kernel.elements, Grain.ELEMENTS);
    };
  }

  private void update(int from, int to, int worker) {
    for (int block = from; block < to && scale.get(0) != 0; block++) {
      int count = Math.min(BLOCK, elements - block * BLOCK);
      m.decode(block, count, worker);
      v.decode(block, count, worker);
      update(block * BLOCK, count, m.values()[worker], v.values()[worker]);
      m.encode(block, count, worker);
      v.encode(block, count, worker);
    }
  }

  /** The sentence of UpdateKernels.adamW. */
  private void update(int first, int count, float[] m32, float[] v32) {
    float rate = step.get(StepScalar.LEARNING_RATE.ordinal());
    float keep = 1 - rate * op.weightDecay();
    float stepSize = rate / step.get(StepScalar.BIAS_CORRECTION1.ordinal());
    double correction = step.get(StepScalar.BIAS_CORRECTION2.ordinal());
    float rootScale = (float) (1 / Math.sqrt(correction));
    float rest1 = 1 - op.beta1();
    float rest2 = 1 - op.beta2();
    for (int i = 0; i < count; i++) {
      float g = scale.get(0) * gradient.get(first + i);
      m32[i] = Math.fma(rest1, g - m32[i], m32[i]);
      v32[i] = Math.fma(rest2, Math.fma(g, g, -v32[i]), v32[i]);
      float root = Math.fma((float) Math.sqrt(v32[i]), rootScale, op.eps());
      float moved = Math.fma(param.get(first + i), keep, -(stepSize * m32[i] / root));
      param.set(first + i, moved);
    }
  }
}
