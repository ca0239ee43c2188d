package dev.kindling.kernels.backend.cpu;

import dev.kindling.kernels.backend.cpu.vector.ElementKernels;
import dev.kindling.kernels.backend.cpu.vector.NormKernels;
import dev.kindling.kernels.backend.cpu.vector.Operand;
import dev.kindling.kernels.graph.op.Accumulation;
import dev.kindling.kernels.graph.op.LayerNorm;
import dev.kindling.kernels.graph.op.LayerNormGradient;
import dev.kindling.kernels.graph.op.ResidualLayerNorm;
import dev.kindling.kernels.graph.op.ResidualRmsNorm;
import dev.kindling.kernels.graph.op.RmsNorm;
import dev.kindling.kernels.graph.op.RmsNormGradient;

/** The four norms and their gradients. */
final class NormCpu {
  private NormCpu() {}

  static Runnable rms(Binding binding) {
    int width = binding.inShape(1).dim(0);
    float eps = binding.op(RmsNorm.class).eps();
    NormKernels norms = binding.rows().norms();
    Operand x = binding.in(0);
    Operand gain = binding.in(1);
    Operand y = binding.out(0);
    Operand r = binding.out(1);
    return rows(
        binding,
        width,
        (from, to, worker) -> norms.rmsForward(x, gain, y, r, width, eps, from, to));
  }

  static Runnable residualRms(Binding binding) {
    int width = binding.inShape(0).dim(1);
    float eps = binding.op(ResidualRmsNorm.class).eps();
    NormKernels norms = binding.rows().norms();
    Operand a = binding.in(0);
    Operand b = binding.in(1);
    Operand gain = binding.in(2);
    Operand sum = binding.out(0);
    Operand y = binding.out(1);
    Operand r = binding.out(2);
    return rows(
        binding,
        width,
        (from, to, worker) -> norms.addRmsForward(a, b, sum, gain, y, r, width, eps, from, to));
  }

  static Runnable layer(Binding binding) {
    int width = binding.inShape(0).dim(1);
    float eps = binding.op(LayerNorm.class).eps();
    NormKernels norms = binding.rows().norms();
    Operand x = binding.in(0);
    Operand gain = binding.in(1);
    Operand bias = binding.in(2);
    Operand y = binding.out(0);
    Operand moments = binding.out(1);
    return rows(
        binding,
        width,
        (from, to, worker) -> norms.layerForward(x, gain, bias, y, moments, width, eps, from, to));
  }

  static Runnable residualLayer(Binding binding) {
    int width = binding.inShape(0).dim(1);
    float eps = binding.op(ResidualLayerNorm.class).eps();
    NormKernels norms = binding.rows().norms();
    Operand a = binding.in(0);
    Operand b = binding.in(1);
    Operand gain = binding.in(2);
    Operand bias = binding.in(3);
    Operand sum = binding.out(0);
    Operand y = binding.out(1);
    Operand moments = binding.out(2);
    return rows(
        binding,
        width,
        (from, to, worker) ->
            norms.addLayerForward(a, b, sum, gain, bias, y, moments, width, eps, from, to));
  }

  private static Runnable rows(Binding binding, int width, Workers.Task task) {
    Workers workers = binding.workers();
    int rows = rows(binding, width);
    int grain = Grain.rows(width);
    return () -> workers.run(task, rows, grain);
  }

  /** Rows of this width that input 0 is made of: more than it has where each head is one. */
  private static int rows(Binding binding, int width) {
    return Math.toIntExact(binding.inShape(0).elements() / width);
  }

  static Runnable rmsGradient(Binding binding) {
    RmsNormGradient op = binding.op(RmsNormGradient.class);
    int width = binding.inShape(1).dim(0);
    int rows = rows(binding, width);
    NormKernels norms = binding.rows().norms();
    ElementKernels elements = binding.rows().elements();
    Operand x = binding.in(0);
    Operand gain = binding.in(1);
    Operand r = binding.in(2);
    Operand dy = binding.in(3);
    Operand dx = binding.out(0);
    Runnable dxRun =
        inputGradient(
            binding,
            op.residual(),
            width,
            (from, to, worker) ->
                norms.rmsBackward(dy, x, gain, r, dx, width, op.residual(), from, to));
    if (op.gain() == Accumulation.NONE) {
      return dxRun;
    }
    Operand dgain = binding.out(1);
    Workers.Task gainTask =
        (from, to, worker) -> {
          if (op.gain() != Accumulation.INTO_VARIABLE) {
            elements.fill(0f, dgain, from, to);
          }
          norms.rmsGainGradient(dy, x, r, dgain, rows, width, from, to);
        };
    return gainFirst(binding, width, gainTask, dxRun);
  }

  static Runnable layerGradient(Binding binding) {
    LayerNormGradient op = binding.op(LayerNormGradient.class);
    int tokens = binding.inShape(0).dim(0);
    int width = binding.inShape(0).dim(1);
    NormKernels norms = binding.rows().norms();
    ElementKernels elements = binding.rows().elements();
    Operand x = binding.in(0);
    Operand gain = binding.in(1);
    Operand moments = binding.in(2);
    Operand dy = binding.in(3);
    Operand dx = binding.out(0);
    Runnable dxRun =
        inputGradient(
            binding,
            op.residual(),
            width,
            (from, to, worker) ->
                norms.layerBackward(dy, x, gain, moments, dx, width, op.residual(), from, to));
    boolean wantsGain = op.gain() != Accumulation.NONE;
    boolean wantsBias = op.bias() != Accumulation.NONE;
    if (!wantsGain && !wantsBias) {
      return dxRun;
    }
    // The kernel always writes both; what nobody demands lands in scratch.
    Operand unwanted = wantsGain && wantsBias ? dx : binding.scratch(width);
    Operand dgain = wantsGain ? binding.out(1) : unwanted;
    Operand dbias = wantsBias ? binding.out(op.biasOutput()) : unwanted;
    Workers.Task gainTask =
        (from, to, worker) -> {
          if (op.gain() != Accumulation.INTO_VARIABLE) {
            elements.fill(0f, dgain, from, to);
          }
          if (op.bias() != Accumulation.INTO_VARIABLE) {
            elements.fill(0f, dbias, from, to);
          }
          norms.layerGainBiasGradient(dy, x, moments, dgain, dbias, tokens, width, from, to);
        };
    return gainFirst(binding, width, gainTask, dxRun);
  }

  /** dx may lie over dy, which the gain gradient reads: so that one runs first. */
  private static Runnable gainFirst(
      Binding binding, int width, Workers.Task gainTask, Runnable dxRun) {
    Workers workers = binding.workers();
    int grain = Grain.rows(rows(binding, width));
    return () -> {
      workers.run(gainTask, width, grain);
      dxRun.run();
    };
  }

  /**
   * The kernels add to dx in place, so a carried gradient that lies elsewhere is copied there
   * first.
   */
  private static Runnable inputGradient(
      Binding binding, boolean residual, int width, Workers.Task task) {
    if (!residual || binding.inPlace(0, 4)) {
      return rows(binding, width, task);
    }
    ElementKernels elements = binding.rows().elements();
    Operand carried = binding.in(4);
    Operand dx = binding.out(0);
    return rows(
        binding,
        width,
        (from, to, worker) -> {
          elements.copy(carried, dx, from * width, to * width);
          task.run(from, to, worker);
        });
  }
}
