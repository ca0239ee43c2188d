package dev.kindling.worker.prune;

import dev.kindling.kernels.graph.Expectation;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.op.WeightLayout;
import dev.kindling.kernels.memory.Span;
import dev.kindling.kernels.random.Initialization;
import dev.kindling.kernels.random.Philox;
import dev.kindling.worker.model.FirstValues;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.model.Weight;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * Which weights of the linear maps of a model become zero; embeddings, head, norms and biases stay.
 * The number is exact, round(sparsity * weights) of each matrix (of each row with {@link
 * Criterion#WANDA}), and the choice depends on the weights alone: of equal ones the first go.
 *
 * <p>Magnitude as Han et al. 2015 (1506.02626), per matrix; Wanda as Sun et al. 2023 (2306.11695),
 * section 3.
 *
 * @param sparsity share that becomes zero, above 0 and below 1; that of the pattern where there is
 *     one
 * @param pattern how many of neighbouring input features stay; empty: anywhere
 * @param norms for Wanda, L2 norms of the input features of each map by its name; else empty
 * @param seed of {@link Criterion#RANDOM}
 */
public record Pruning(
    Criterion criterion,
    double sparsity,
    Optional<MaskPattern> pattern,
    Map<String, double[]> norms,
    long seed) {
  /** Keeps these streams apart from those that fill parameters. */
  private static final long STREAM = 0x7072756E696E6700L;

  public Pruning {
    Expectation e = new Expectation();
    e.that(sparsity > 0 && sparsity < 1, "--sparsity", "above 0 and below 1", sparsity);
    if (pattern.isPresent() && e.holds()) {
      double own = pattern.get().sparsity();
      String expected = own + " with --pattern " + pattern.get();
      e.that(Math.abs(own - sparsity) < 1e-9, "--sparsity", expected, sparsity);
    }
    try {
      e.orThrow();
    } catch (IllegalArgumentException unfit) {
      throw new PlanException(String.valueOf(unfit.getMessage()));
    }
    norms = Map.copyOf(norms);
  }

  /**
   * The linear maps that are pruned, by the names of their matrices.
   *
   * @throws PlanException if there are none, or the pattern does not divide their input features
   */
  public Map<String, Weight> maps(ModelFamily model) {
    Map<String, Weight> maps = new LinkedHashMap<>();
    for (Weight map : model.maps()) {
      if (!map.name().equals(Weight.HEAD)) {
        maps.put(map.matrix().name(), map);
        check(map);
      }
    }
    if (maps.isEmpty()) {
      throw new PlanException("expected a model with linear maps, found none to prune");
    }
    return maps;
  }

  private void check(Weight map) {
    if (pattern.isPresent() && map.in() % pattern.get().of() != 0) {
      throw new PlanException(
          "--pattern: expected a divisor of the "
              + map.in()
              + " input features of "
              + map.name()
              + ", found "
              + pattern.get());
    }
    if (criterion == Criterion.WANDA && !norms.containsKey(map.name())) {
      throw new PlanException(map.name() + ": expected norms of its inputs, found none");
    }
  }

  /** Weights with zeros in them; of each pruned matrix the whole is in memory at a time. */
  public FirstValues of(ModelFamily model, FirstValues dense) {
    Map<String, Weight> maps = maps(model);
    return (param, from, target) -> {
      Weight map = maps.get(param.name());
      if (map == null) {
        dense.fill(param, from, target);
        return;
      }
      try (Span whole = dense.whole(param)) {
        apply(map, whole);
        for (long i = 0; i < target.bytes() / Float.BYTES; i++) {
          target.putFloat(i, whole.getFloat(from + i));
        }
      }
    };
  }

  /** Writes zeros into a matrix. */
  void apply(Weight map, Span matrix) {
    long key = Initialization.key(seed ^ STREAM, map.name());
    Matrix m = new Matrix(map, matrix, norms.getOrDefault(map.name(), new double[0]), key);
    if (pattern.isPresent()) {
      int of = pattern.get().of();
      for (int out = 0; out < map.out(); out++) {
        for (int first = 0; first < map.in(); first += of) {
          run(m, out, first, of, of - pattern.get().kept());
        }
      }
    } else if (criterion == Criterion.WANDA) {
      for (int out = 0; out < map.out(); out++) {
        run(m, out, 0, map.in(), Math.round(sparsity * map.in()));
      }
    } else {
      long count = (long) map.in() * map.out();
      Smallest.choose(
          i -> score(m, (int) (i / map.in()), (int) (i % map.in())),
          count,
          Math.round(sparsity * count),
          i -> m.clear((int) (i / map.in()), (int) (i % map.in())));
    }
  }

  /** Clears some of neighbouring input features of one output. */
  private void run(Matrix m, int out, int first, int count, long wanted) {
    float[] scores = new float[count];
    for (int i = 0; i < count; i++) {
      scores[i] = score(m, out, first + i);
    }
    if (count > 64) {
      Smallest.choose(i -> scores[(int) i], count, wanted, i -> m.clear(out, first + (int) i));
      return;
    }
    for (long k = 0; k < wanted; k++) {
      int least = -1;
      for (int i = 0; i < count; i++) {
        if (scores[i] >= 0 && (least < 0 || scores[i] < scores[least])) {
          least = i;
        }
      }
      m.clear(out, first + least);
      scores[least] = -1;
    }
  }

  private float score(Matrix m, int out, int in) {
    float size = Math.abs(m.get(out, in));
    return switch (criterion) {
      case MAGNITUDE -> size;
      case WANDA -> (float) (size * m.norms()[in]);
      case RANDOM -> (float) Philox.uniform(m.key(), (long) out * m.map().in() + in);
    };
  }

  /** A matrix by output and input feature, whatever its layout. */
  private record Matrix(Weight map, Span values, double[] norms, long key) {
    private long at(int out, int in) {
      return map.layout() == WeightLayout.OUT_IN
          ? (long) out * map.in() + in
          : (long) in * map.out() + out;
    }

    float get(int out, int in) {
      return values.getFloat(at(out, in));
    }

    void clear(int out, int in) {
      values.putFloat(at(out, in), 0f);
    }
  }
}
