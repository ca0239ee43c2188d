package dev.kindling.kernels.backend.cpu;

import dev.kindling.kernels.backend.cpu.vector.ElementKernels;
import dev.kindling.kernels.backend.cpu.vector.Operand;
import dev.kindling.kernels.backend.cpu.vector.UpdateKernels;
import dev.kindling.kernels.graph.StepScalar;
import dev.kindling.kernels.graph.op.AdamW;
import dev.kindling.kernels.graph.op.GlobalNorm;
import dev.kindling.kernels.graph.op.Lion;
import dev.kindling.kernels.graph.op.Sgd;
import dev.kindling.kernels.random.StochasticRounding;
import java.util.ArrayList;
import java.util.List;

/**
 * Norm, clip factor and optimizer updates. Scalars are read when the node runs, so one program
 * serves all steps.
 */
final class UpdateCpu {
  /** Squares are summed in pieces of this many elements, whatever the number of threads. */
  private static final int NORM_PIECE = 1 << 16;

  private UpdateCpu() {}

  static Runnable globalNorm(Binding binding) {
    GlobalNorm op = binding.op(GlobalNorm.class);
    int gradients = op.gradients(binding.inputs());
    List<Operand> starts = new ArrayList<>();
    List<Integer> lengths = new ArrayList<>();
    for (Piece piece : stretches(binding, gradients)) {
      Operand whole = Binding.operand(piece);
      int count = (int) (piece.bytes() / Float.BYTES);
      for (int at = 0; at < count; at += NORM_PIECE) {
        starts.add(whole.plus(at));
        lengths.add(Math.min(NORM_PIECE, count - at));
      }
    }
    Operand[] parts = starts.toArray(Operand[]::new);
    int[] counts = lengths.stream().mapToInt(Integer::intValue).toArray();
    double[] squares = new double[parts.length];
    Operand tokenCount = op.mean() ? binding.in(gradients) : null;
    Operand norm = binding.out(0);
    ElementKernels elements = binding.rows().elements();
    Workers workers = binding.workers();
    Workers.Task task =
        (from, to, worker) -> {
          for (int i = from; i < to; i++) {
            squares[i] = elements.sumOfSquares(parts[i], 0, counts[i]);
          }
        };
    return () -> {
      workers.run(task, parts.length, 1);
      double sum = 0;
      for (double square : squares) {
        sum += square;
      }
      norm.set(0, (float) (Math.sqrt(sum) / (tokenCount == null ? 1f : tokenCount.get(0))));
    };
  }

  /** Neighbours are one stretch where the padding between them is known to be zero: variables. */
  private static List<Piece> stretches(Binding binding, int gradients) {
    List<Piece> stretches = new ArrayList<>();
    List<Piece> run = new ArrayList<>();
    for (int i = 0; i < gradients; i++) {
      if (binding.inVariable(i)) {
        run.add(binding.inPiece(i));
      } else {
        stretches.addAll(Piece.merge(run));
        run.clear();
        stretches.add(binding.inPiece(i));
      }
    }
    stretches.addAll(Piece.merge(run));
    return stretches;
  }

  static Runnable clipScale(Binding binding) {
    Operand norm = binding.in(0);
    Operand tokenCount = binding.in(1);
    Operand step = binding.in(2);
    Operand lossSum = binding.inputs() == 4 ? binding.in(3) : norm;
    Operand scale = binding.out(0);
    return () -> {
      float tokens = tokenCount.get(0);
      float clip = step.get(StepScalar.CLIP_NORM.ordinal());
      float length = norm.get(0);
      boolean usable = Float.isFinite(length) && Float.isFinite(lossSum.get(0)) && tokens > 0;
      float factor = clip > 0 ? Math.min(1f, clip / (length + 1e-6f)) : 1f;
      scale.set(0, usable ? factor / tokens : 0f);
    };
  }

  static Runnable adamW(Binding binding) {
    AdamW op = binding.op(AdamW.class);
    Operand param = binding.out(0);
    Operand gradient = binding.in(1);
    Operand m = binding.out(1);
    Operand v = binding.out(2);
    Operand scale = binding.in(4);
    Operand step = binding.in(5);
    UpdateKernels updates = binding.rows().updates();
    Workers workers = binding.workers();
    Workers.Task task =
        (from, to, worker) ->
            updates.adamW(
                param,
                gradient,
                m,
                v,
                scale.get(0),
                step.get(StepScalar.LEARNING_RATE.ordinal()),
                op.beta1(),
                op.beta2(),
                op.eps(),
                op.weightDecay(),
                step.get(StepScalar.BIAS_CORRECTION1.ordinal()),
                step.get(StepScalar.BIAS_CORRECTION2.ordinal()),
                from,
                to);
    int elements = binding.inElements(0);
    List<Workers.Task> tasks = new ArrayList<>(List.of(task));
    int count = workers.count();
    op.roundingKey().ifPresent(key -> tasks.add(rounding(param, scale, step, key, count)));
    op.stateKey().ifPresent(key -> tasks.add(rounding(m, scale, step, key, count)));
    op.stateKey().ifPresent(key -> tasks.add(rounding(v, scale, step, key + 1, count)));
    Workers.Task[] inOrder = tasks.toArray(Workers.Task[]::new);
    return () -> {
      for (Workers.Task each : inOrder) {
        workers.run(each, elements, Grain.ELEMENTS);
      }
    };
  }

  static Workers.Task rounding(Operand param, Operand scale, Operand step, long key, int count) {
    int[][] blocks = new int[count][4];
    return (from, to, worker) -> {
      long now = (long) step.get(StepScalar.STEP.ordinal());
      int[] words = blocks[worker];
      for (int i = from; i < to && scale.get(0) != 0; i++) {
        if (i == from || StochasticRounding.beginsBlock(i)) {
          StochasticRounding.block(words, key, now, i);
        }
        int random = StochasticRounding.random(words, i);
        param.set(i, StochasticRounding.round(param.get(i), random));
      }
    };
  }

  static Runnable lion(Binding binding) {
    Lion op = binding.op(Lion.class);
    Operand param = binding.out(0);
    Operand gradient = binding.in(1);
    Operand m = binding.out(1);
    Operand scale = binding.in(3);
    Operand step = binding.in(4);
    Workers workers = binding.workers();
    Workers.Task task =
        (from, to, worker) -> {
          float factor = scale.get(0);
          float rate = step.get(StepScalar.LEARNING_RATE.ordinal());
          float keep = 1 - rate * op.weightDecay();
          for (int i = from; i < to && factor != 0; i++) {
            float g = factor * gradient.get(i);
            float old = m.get(i);
            float sign = Math.signum(Math.fma(1 - op.beta1(), g - old, old));
            param.set(i, Math.fma(param.get(i), keep, -rate * sign));
            m.set(i, Math.fma(1 - op.beta2(), g - old, old));
          }
        };
    int elements = binding.inElements(0);
    return () -> workers.run(task, elements, Grain.ELEMENTS);
  }

  static Runnable sgd(Binding binding) {
    Sgd op = binding.op(Sgd.class);
    Operand param = binding.out(0);
    Operand gradient = binding.in(1);
    Operand buffer = op.momentum() == 0 ? param : binding.out(1);
    Operand scale = binding.in(binding.inputs() - 2);
    Operand step = binding.in(binding.inputs() - 1);
    UpdateKernels updates = binding.rows().updates();
    Workers workers = binding.workers();
    Workers.Task task =
        (from, to, worker) ->
            updates.sgd(
                param,
                gradient,
                buffer,
                scale.get(0),
                step.get(StepScalar.LEARNING_RATE.ordinal()),
                op.momentum(),
                op.weightDecay(),
                op.nesterov(),
                from,
                to);
    int elements = binding.inElements(0);
    return () -> workers.run(task, elements, Grain.ELEMENTS);
  }
}
