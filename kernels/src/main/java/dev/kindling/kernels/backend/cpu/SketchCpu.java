package dev.kindling.kernels.backend.cpu;

import dev.kindling.kernels.backend.cpu.blas.Form;
import dev.kindling.kernels.backend.cpu.vector.Operand;
import dev.kindling.kernels.graph.Channels;
import dev.kindling.kernels.graph.StepScalar;
import dev.kindling.kernels.graph.op.ScaledUpdate;
import dev.kindling.kernels.graph.op.Sketch;
import dev.kindling.kernels.graph.op.SketchMoments;
import dev.kindling.kernels.random.Int8Grid;
import dev.kindling.kernels.random.SketchNumbers;
import dev.kindling.kernels.random.StochasticRounding;
import java.util.Optional;

/** Sketches of gradients, their moments, and the updates that these scale. */
final class SketchCpu {
  private SketchCpu() {}

  static Runnable sketch(Binding binding) {
    Sketch op = binding.op(Sketch.class);
    Channels channels = op.channels();
    int contracted = channels.contracted();
    long first =
        channels.areCut()
            ? (long) binding.communicator(op.axis()).rank() * contracted * op.rank()
            : 0;
    Operand step = binding.in(1);
    int numbers = Math.multiplyExact(contracted, op.rank());
    Operand projection = binding.scratch(numbers);
    Workers workers = binding.workers();
    int[][] words = new int[workers.count()][4];
    Workers.Task draw =
        (from, to, worker) -> {
          long now = (long) step.get(StepScalar.STEP.ordinal());
          long drawing = SketchNumbers.drawing(now, op.interval());
          long begin = SketchNumbers.counter(drawing, first);
          SketchNumbers.fill(op.key(), begin, projection.buffer(), from, to, words[worker]);
        };
    Form form = channels.areRows() ? Form.NN : Form.TN;
    Operand[] abc = {binding.in(0), projection, binding.out(0)};
    Product product = new Product(binding, form, channels.own(), op.rank(), contracted, 0f, abc);
    Workers.Task squares = squares(channels, binding.in(0), binding.out(1));
    return () -> {
      workers.run(draw, numbers, Grain.ELEMENTS / 64);
      product.run();
      workers.run(squares, channels.own(), Grain.rows(contracted));
    };
  }

  private static Workers.Task squares(Channels channels, Operand gradient, Operand squares) {
    int contracted = channels.contracted();
    int apart = channels.areRows() ? 1 : channels.columns();
    int next = channels.areRows() ? channels.columns() : 1;
    return (from, to, worker) -> {
      for (int channel = from; channel < to; channel++) {
        double sum = 0;
        for (int i = 0; i < contracted; i++) {
          float g = gradient.get(channel * next + i * apart);
          sum += (double) g * g;
        }
        squares.set(channel, (float) sum);
      }
    };
  }

  static Runnable moments(Binding binding) {
    Moments moments = new Moments(binding);
    Workers workers = binding.workers();
    Operand sums = binding.out(3);
    return () -> {
      workers.run(moments, moments.channels, Grain.rows(moments.rank));
      double after = 0;
      double before = 0;
      double gradient = 0;
      for (int j = 0; j < moments.channels; j++) {
        after += moments.norms[3 * j];
        before += moments.norms[3 * j + 1];
        gradient += moments.norms[3 * j + 2];
      }
      sums.set(0, (float) (after / moments.op.copies()));
      sums.set(1, (float) (before / moments.op.copies()));
      sums.set(2, (float) gradient);
    };
  }

  /** Channels of one node. */
  private static final class Moments implements Workers.Task {
    private final SketchMoments op;
    private final int channels;
    private final int rank;
    private final Operand sketch;
    private final Operand squares;
    private final Operand m;
    private final Operand v;
    private final Operand scale;
    private final Operand factors;

    /** The three sums, channel by channel. */
    private final float[] norms;

    Moments(Binding binding) {
      op = binding.op(SketchMoments.class);
      channels = binding.inShape(0).dim(0);
      rank = binding.inShape(0).dim(1);
      sketch = binding.in(0);
      squares = binding.in(1);
      m = binding.out(0);
      v = binding.out(1);
      scale = binding.in(4);
      factors = binding.out(2);
      norms = new float[3 * channels];
    }

    @Override
    public void run(int from, int to, int worker) {
      float factor = (float) (scale.get(0) / Math.sqrt(rank));
      for (int j = from; j < to; j++) {
        double after = 0;
        double before = 0;
        for (int i = j * rank; factor != 0 && i < (j + 1) * rank; i++) {
          float r = factor * sketch.get(i);
          float first = Math.fma(1 - op.beta1(), r - m.get(i), m.get(i));
          float second = Math.fma(1 - op.beta2(), Math.fma(r, r, -v.get(i)), v.get(i));
          m.set(i, first);
          v.set(i, second);
          float stretched = first / ((float) Math.sqrt(second) + op.eps());
          after += (double) stretched * stretched;
          before += (double) r * r;
        }
        float ratio = (float) (Math.sqrt(after) / (Math.sqrt(before) + SketchMoments.TINY));
        factors.set(j, ratio);
        float length = scale.get(0) * scale.get(0) * squares.get(j);
        norms[3 * j] = (float) after;
        norms[3 * j + 1] = (float) before;
        norms[3 * j + 2] = op.perChannel() ? ratio * ratio * length : length;
      }
    }
  }

  static Runnable update(Binding binding) {
    ScaledUpdate op = binding.op(ScaledUpdate.class);
    Channels channels = op.channels();
    Operand param = binding.out(0);
    Operand gradient = binding.in(1);
    Operand factors = binding.in(2);
    Operand scale = binding.in(binding.inputs() - 2);
    Operand step = binding.in(binding.inputs() - 1);
    Limiter limiter = new Limiter(binding);
    int columns = channels.columns();
    Workers.Task task =
        (from, to, worker) -> {
          float rate = step.get(StepScalar.LEARNING_RATE.ordinal());
          float keep = 1 - rate * op.weightDecay();
          float multiplier = limiter.multiplier;
          for (int row = from; row < to; row++) {
            for (int column = 0; column < columns; column++) {
              int i = row * columns + column;
              float factor = op.perChannel() ? factors.get(channels.areRows() ? row : column) : 1f;
              float moved = Math.fma(-(multiplier * factor), gradient.get(i), param.get(i));
              param.set(i, moved * keep);
            }
          }
        };
    Workers workers = binding.workers();
    int elements = binding.inElements(0);
    int groups = (elements + Int8Grid.GROUP - 1) / Int8Grid.GROUP;
    Optional<Workers.Task> rounding =
        op.roundingKey().map(key -> rounding(param, elements, step, key, workers.count()));
    return () -> {
      if (scale.get(0) != 0) {
        limiter.run();
        workers.run(task, channels.ownRows(), Grain.rows(columns));
        rounding.ifPresent(each -> workers.run(each, groups, Grain.rows(Int8Grid.GROUP)));
      }
    };
  }

  /** Puts groups of elements on new grids. */
  private static Workers.Task rounding(
      Operand param, int elements, Operand step, long key, int workers) {
    int[][] blocks = new int[workers][4];
    return (from, to, worker) -> {
      long now = (long) step.get(StepScalar.STEP.ordinal());
      int[] words = blocks[worker];
      for (int group = from; group < to; group++) {
        int first = group * Int8Grid.GROUP;
        int end = Math.min(elements, first + Int8Grid.GROUP);
        float low = 0;
        float high = 0;
        for (int i = first; i < end; i++) {
          low = Math.min(low, param.get(i));
          high = Math.max(high, param.get(i));
        }
        float grid = Int8Grid.scale(low, high);
        for (int i = first; i < end; i++) {
          if (StochasticRounding.beginsBlock(i)) {
            StochasticRounding.block(words, key, now, i);
          }
          param.set(i, Int8Grid.round(param.get(i), grid, StochasticRounding.random(words, i)));
        }
      }
    };
  }

  /** What all elements of a matrix are multiplied with, and the norm that the next step meets. */
  private static final class Limiter implements Runnable {
    private final ScaledUpdate op;
    private final Operand sums;
    private final Operand norm;
    private final Operand scale;
    private final Operand step;
    private float multiplier;

    Limiter(Binding binding) {
      op = binding.op(ScaledUpdate.class);
      sums = binding.in(3);
      norm = op.limits() ? binding.out(1) : sums;
      scale = binding.in(binding.inputs() - 2);
      step = binding.in(binding.inputs() - 1);
    }

    @Override
    public void run() {
      double factor =
          op.perChannel()
              ? 1
              : Math.sqrt(sums.get(0)) / (Math.sqrt(sums.get(1)) + SketchMoments.TINY);
      double limit = 1;
      if (op.limits()) {
        double length = factor * Math.sqrt(sums.get(2)) * (op.front() ? op.alpha() : 1);
        double last = norm.get(0);
        limit =
            last == 0
                ? 1
                : Math.max(length / (last + SketchMoments.TINY), op.growth()) / op.growth();
        norm.set(0, (float) (length / limit));
      }
      double rate =
          step.get(StepScalar.LEARNING_RATE.ordinal())
              * Math.sqrt(step.get(StepScalar.BIAS_CORRECTION2.ordinal()))
              / step.get(StepScalar.BIAS_CORRECTION1.ordinal());
      multiplier = (float) (rate * op.alpha() * factor / limit * scale.get(0));
    }
  }
}
