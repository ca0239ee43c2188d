package dev.kindling.kernels.backend.cpu;

import dev.kindling.kernels.backend.cpu.vector.Operand;
import dev.kindling.kernels.graph.StepScalar;
import dev.kindling.kernels.graph.op.Mezo;
import dev.kindling.kernels.graph.op.Perturb;
import dev.kindling.kernels.graph.op.ProjectedGradient;
import dev.kindling.kernels.random.HalfwordNormal;
import dev.kindling.kernels.random.StochasticRounding;

/** Both points of a zeroth-order step, the slope between them, and the update along it. */
final class PerturbCpu {
  private static final int LANES = HalfwordNormal.LANES;

  private PerturbCpu() {}

  /** What one thread needs of random numbers. */
  private static final class Draws {
    final int[] words = new int[4];
    final float[] z = new float[LANES];
    final float[] sum = new float[LANES];

    static Draws[] of(int threads) {
      Draws[] draws = new Draws[threads];
      java.util.Arrays.setAll(draws, i -> new Draws());
      return draws;
    }
  }

  static Runnable perturb(Binding binding) {
    Perturb op = binding.op(Perturb.class);
    Operand p = binding.in(0);
    Operand threshold = binding.in(binding.inputs() - 2);
    Operand step = binding.in(binding.inputs() - 1);
    Operand plus = binding.out(0);
    Operand minus = binding.out(1);
    int elements = binding.inElements(0);
    Workers workers = binding.workers();
    Draws[] draws = Draws.of(workers.count());
    Workers.Task task =
        (from, to, worker) -> {
          Draws own = draws[worker];
          int now = (int) step.get(StepScalar.STEP.ordinal());
          float bound = op.masked() ? threshold.get(0) : Float.POSITIVE_INFINITY;
          for (int block = from; block < to; block++) {
            HalfwordNormal.block(own.words, op.key(), block, now, op.direction(), own.z);
            int end = Math.min(elements, (block + 1) * LANES);
            for (int i = block * LANES; i < end; i++) {
              float weight = p.get(i);
              float shift = Math.abs(weight) <= bound ? op.eps() : 0f;
              plus.set(i, Math.fma(shift, own.z[i % LANES], weight));
              minus.set(i, Math.fma(-shift, own.z[i % LANES], weight));
            }
          }
        };
    return () -> workers.run(task, blocks(elements), Grain.ELEMENTS / LANES);
  }

  static Runnable mezo(Binding binding) {
    Mezo op = binding.op(Mezo.class);
    Operand p = binding.out(0);
    Operand projected = binding.in(1);
    Operand scale = binding.in(2);
    Operand threshold = binding.in(binding.inputs() - 2);
    Operand step = binding.in(binding.inputs() - 1);
    int elements = binding.inElements(0);
    Workers workers = binding.workers();
    Draws[] draws = Draws.of(workers.count());
    Workers.Task task =
        (from, to, worker) -> {
          Draws own = draws[worker];
          int now = (int) step.get(StepScalar.STEP.ordinal());
          float rate = step.get(StepScalar.LEARNING_RATE.ordinal());
          float keep = 1f - rate * op.weightDecay();
          float share = rate / op.directions();
          float bound = op.masked() ? threshold.get(0) : Float.POSITIVE_INFINITY;
          for (int block = from; block < to; block++) {
            int first = block * LANES;
            int count = Math.min(elements - first, LANES);
            for (int i = 0; i < count; i++) {
              own.sum[i] = p.get(first + i) * keep;
            }
            for (int j = 0; j < op.directions(); j++) {
              float factor = -(share * projected.get(j));
              HalfwordNormal.block(own.words, op.key(), block, now, j, own.z);
              for (int i = 0; i < count; i++) {
                own.sum[i] = Math.fma(factor, own.z[i], own.sum[i]);
              }
            }
            if (op.roundingKey().isPresent()) {
              round(own, op.roundingKey().get(), now, first, count);
            }
            for (int i = 0; i < count; i++) {
              boolean moves = Math.abs(p.get(first + i)) <= bound;
              p.set(first + i, moves ? own.sum[i] : p.get(first + i));
            }
          }
        };
    return () -> {
      if (scale.get(0) != 0) {
        workers.run(task, blocks(elements), Grain.ELEMENTS / LANES);
      }
    };
  }

  private static void round(Draws own, long key, int now, int first, int count) {
    StochasticRounding.block(own.words, key, now, first);
    for (int i = 0; i < count; i++) {
      int random = StochasticRounding.random(own.words, first + i);
      own.sum[i] = StochasticRounding.round(own.sum[i], random);
    }
  }

  private static int blocks(int elements) {
    return (elements + LANES - 1) / LANES;
  }

  static Runnable projectedGradient(Binding binding) {
    ProjectedGradient op = binding.op(ProjectedGradient.class);
    Operand all = binding.in(0);
    Operand projected = binding.out(0);
    Operand scale = binding.out(1);
    Operand lossSum = binding.out(2);
    Operand tokenCount = binding.out(3);
    Operand norm = binding.out(4);
    Operand stopVotes = binding.out(5);
    int directions = op.directions();
    int width = ProjectedGradient.valuesPerRank(directions);
    double[] sums = new double[2 * directions];
    return () -> {
      double tokens = 0;
      double votes = 0;
      java.util.Arrays.fill(sums, 0);
      for (int rank = 0; rank < op.ranks(); rank++) {
        int at = rank * width;
        for (int i = 0; i < sums.length; i++) {
          sums[i] += (double) all.get(at + 2 * i) + all.get(at + 2 * i + 1);
        }
        tokens += all.get(at + width - 2);
        votes += all.get(at + width - 1);
      }
      double total = 0;
      double squares = 0;
      boolean usable = tokens > 0;
      for (int j = 0; j < directions; j++) {
        total += sums[2 * j] + sums[2 * j + 1];
        double slope = (sums[2 * j] / tokens - sums[2 * j + 1] / tokens) / (2.0 * op.eps());
        usable &= Float.isFinite((float) slope);
        squares += slope * slope;
        projected.set(j, (float) slope);
      }
      for (int j = 0; j < directions && !usable; j++) {
        projected.set(j, 0f);
      }
      scale.set(0, usable ? (float) (1 / tokens) : 0f);
      lossSum.set(0, (float) (total / (2 * directions)));
      tokenCount.set(0, (float) tokens);
      norm.set(0, (float) Math.sqrt(squares / directions));
      stopVotes.set(0, (float) votes);
    };
  }
}
