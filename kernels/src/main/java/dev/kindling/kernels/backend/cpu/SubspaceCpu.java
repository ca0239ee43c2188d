package dev.kindling.kernels.backend.cpu;

import dev.kindling.kernels.backend.cpu.blas.Form;
import dev.kindling.kernels.backend.cpu.vector.Operand;
import dev.kindling.kernels.graph.Channels;
import dev.kindling.kernels.graph.op.Project;
import dev.kindling.kernels.graph.op.Subspace;
import java.nio.DoubleBuffer;

/** Subspaces of gradients by orthogonal iteration, in fp64, and projections onto them. */
final class SubspaceCpu {
  private SubspaceCpu() {}

  static Runnable project(Binding binding) {
    Project op = binding.op(Project.class);
    Channels channels = op.channels();
    Form form = channels.areRows() ? Form.NN : Form.TN;
    Operand[] abc = {binding.in(0), binding.in(1), binding.out(0)};
    int contracted = channels.contracted();
    return new Product(binding, form, channels.own(), op.rank(), contracted, 0f, abc);
  }

  static Runnable subspace(Binding binding) {
    Operand scale = binding.in(3);
    Operand basis = binding.out(0);
    Operand age = binding.out(1);
    Operand read = binding.out(2);
    Iteration iteration = new Iteration(binding);
    int numbers = Math.toIntExact(binding.outShape(0).elements());
    int interval = iteration.op.interval();
    return () -> {
      if (scale.get(0) != 0) {
        boolean due = age.get(0) < 1 || age.get(0) >= interval;
        if (due) {
          iteration.run();
        }
        age.set(0, due ? 1 : age.get(0) + 1);
      }
      for (int i = 0; i < numbers; i++) {
        read.set(i, basis.get(i));
      }
    };
  }

  /** One refresh. A matrix is rows one behind the other; sums go up in place. */
  private static final class Iteration implements Runnable {
    private final Subspace op;
    private final Channels channels;
    private final Workers workers;
    private final Operand gradient;
    private final Operand scale;
    private final Operand basis;
    private final int shorter;
    private final int longer;
    private final int rank;

    /** Where parts of the scratch begin, in doubles. */
    private final int turned;

    private final int gram;
    private final int q;
    private final int z;
    private final int factor;
    private final DoubleBuffer memory;

    Iteration(Binding binding) {
      op = binding.op(Subspace.class);
      channels = op.channels();
      workers = binding.workers();
      gradient = binding.in(0);
      scale = binding.in(3);
      basis = binding.out(0);
      shorter = channels.contracted();
      longer = channels.own();
      rank = op.rank();
      turned = 0;
      gram = Math.multiplyExact(shorter, longer);
      q = Math.addExact(gram, Math.multiplyExact(shorter, shorter));
      z = q + shorter * rank;
      factor = z + shorter * rank;
      int doubles = factor + rank * rank;
      memory = binding.scratch(2L * doubles).buffer().asDoubleBuffer();
    }

    @Override
    public void run() {
      workers.run(this::turn, shorter, Grain.rows(longer));
      workers.run(this::squares, shorter, 1);
      shift();
      workers.run(this::begin, shorter, Grain.rows(16 * rank));
      for (int i = 0; i < op.iterations(); i++) {
        workers.run(this::multiply, shorter, 1);
        orthonormalize();
      }
      workers.run(this::keep, shorter, Grain.rows(rank));
      orthonormalize();
      workers.run(this::write, rank, 1);
    }

    private void turn(int from, int to, int worker) {
      int apart = channels.areRows() ? shorter : 1;
      int next = channels.areRows() ? 1 : longer;
      for (int i = from; i < to; i++) {
        for (int j = 0; j < longer; j++) {
          double g = gradient.get(j * apart + i * next);
          memory.put(turned + i * longer + j, scale.get(0) * g);
        }
      }
    }

    /** Row i of A up to its diagonal, and the same as a column. */
    private void squares(int from, int to, int worker) {
      for (int i = from; i < to; i++) {
        for (int j = 0; j <= i; j++) {
          double sum = dot(turned + i * longer, turned + j * longer, longer);
          memory.put(gram + i * shorter + j, sum);
          memory.put(gram + j * shorter + i, sum);
        }
      }
    }

    private double dot(int a, int b, int count) {
      double sum = 0;
      for (int i = 0; i < count; i++) {
        sum += memory.get(a + i) * memory.get(b + i);
      }
      return sum;
    }

    private void shift() {
      double trace = 0;
      for (int i = 0; i < shorter; i++) {
        trace += memory.get(gram + i * (shorter + 1));
      }
      double shift = Subspace.SHIFT * trace / shorter + Subspace.LEAST_SHIFT;
      for (int i = 0; i < shorter; i++) {
        int at = gram + i * (shorter + 1);
        memory.put(at, memory.get(at) + shift);
      }
    }

    private void begin(int from, int to, int worker) {
      for (int i = from * rank; i < to * rank; i++) {
        memory.put(q + i, Subspace.start(op.key(), i));
      }
    }

    private void keep(int from, int to, int worker) {
      for (int i = from * rank; i < to * rank; i++) {
        memory.put(z + i, memory.get(q + i));
      }
    }

    private void multiply(int from, int to, int worker) {
      for (int i = from; i < to; i++) {
        int row = z + i * rank;
        for (int k = 0; k < rank; k++) {
          memory.put(row + k, 0);
        }
        for (int j = 0; j < shorter; j++) {
          double a = memory.get(gram + i * shorter + j);
          int other = q + j * rank;
          for (int k = 0; k < rank; k++) {
            memory.put(row + k, memory.get(row + k) + a * memory.get(other + k));
          }
        }
      }
    }

    /** Q from Z. */
    private void orthonormalize() {
      workers.run(this::products, rank, 1);
      factorize();
      workers.run(this::solve, shorter, Grain.rows(rank * rank));
    }

    /** Lower rows of Z' Z. */
    private void products(int from, int to, int worker) {
      for (int k = from; k < to; k++) {
        for (int l = 0; l <= k; l++) {
          double sum = 0;
          for (int i = 0; i < shorter; i++) {
            sum += memory.get(z + i * rank + k) * memory.get(z + i * rank + l);
          }
          memory.put(factor + k * rank + l, sum);
        }
      }
    }

    private void factorize() {
      for (int k = 0; k < rank; k++) {
        int row = factor + k * rank;
        double whole = memory.get(row + k);
        for (int l = 0; l <= k; l++) {
          double rest = memory.get(row + l) - dot(row, factor + l * rank, l);
          if (l < k) {
            memory.put(row + l, rest / memory.get(factor + l * (rank + 1)));
          } else {
            double least = Subspace.LEAST_PIVOT * whole + Double.MIN_NORMAL;
            memory.put(row + k, Math.sqrt(Math.max(rest, least)));
          }
        }
      }
    }

    private void solve(int from, int to, int worker) {
      for (int i = from; i < to; i++) {
        int row = q + i * rank;
        for (int k = 0; k < rank; k++) {
          double rest = memory.get(z + i * rank + k) - dot(row, factor + k * rank, k);
          memory.put(row + k, rest / memory.get(factor + k * (rank + 1)));
        }
      }
    }

    /** Columns, each to the side of its start. */
    private void write(int from, int to, int worker) {
      for (int k = from; k < to; k++) {
        double along = 0;
        for (int i = k; i < shorter * rank; i += rank) {
          along += memory.get(q + i) * Subspace.start(op.key(), i);
        }
        for (int i = k; i < shorter * rank; i += rank) {
          double number = memory.get(q + i);
          basis.set(i, (float) (along < 0 ? -number : number));
        }
      }
    }
  }
}
