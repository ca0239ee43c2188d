package dev.kindling.worker.adapt;

import dev.kindling.kernels.graph.Columns;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.op.WeightLayout;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.model.Weight;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/**
 * The same training without any adapter code: the model is trained in full, its weights are the
 * merged ones, gradients of the adapters follow from those of the whole matrices by the chain rule,
 * and AdamW is written out; all but the model's own gradients in fp64.
 */
public final class DenseReference implements AutoCloseable {
  private final AdaptedRank whole;
  private final Map<String, double[]> base = new HashMap<>();
  private final Map<String, double[]> trained = new LinkedHashMap<>();
  private final Map<String, double[]> moments = new HashMap<>();
  private final Map<String, Weight> weights = new LinkedHashMap<>();
  private final Adapter adapter;
  private final double scale;
  private final int rank;
  private final Map<String, Columns> columns = new HashMap<>();

  /** Parameters of the model itself that are trained as they are. */
  private final Set<String> own = new HashSet<>();

  /** What has one dimension does not decay. */
  private final Set<String> vectors = new HashSet<>();

  private int steps;

  /**
   * @param adapter what start has; under a mask its factors leave the zeros of the start alone
   * @param rank of all its factors
   * @param scale of its branches
   * @param start holds the first values of everything
   */
  public DenseReference(
      ModelFamily model, Adapter adapter, int rank, double scale, AdaptedRank start) {
    this.whole = new AdaptedRank(model, new Full());
    this.adapter = adapter;
    this.rank = rank;
    this.scale = scale;
    for (Param param : start.program().params()) {
      if (param.demand() instanceof dev.kindling.kernels.graph.Whole) {
        train(param, doubles(start.read(param.name())));
      } else if (param.demand() instanceof Columns some) {
        columns.put(param.name(), some);
      }
    }
    if (start.program().projection() instanceof PacaProjection paca) {
      paca.partial().forEach((name, part) -> columns.put(name, part.columns()));
    }
    for (Weight weight : Modules.of(model).maps()) {
      if (trained.containsKey(weight.name() + ".lora_A.weight")
          || trained.containsKey(weight.name() + ".paca_delta")) {
        weights.put(weight.name(), weight);
        base.put(weight.name(), doubles(start.matrix(weight.matrix().name())));
      }
    }
    for (Param param : whole.program().params()) {
      if (trained.containsKey(param.name())) {
        own.add(param.name());
      } else {
        whole.put(param.name(), start.matrix(param.name()));
      }
    }
  }

  private void train(Param param, double[] start) {
    trained.put(param.name(), start);
    moments.put(param.name(), new double[2 * start.length]);
    if (param.shape().rank() == 1) {
      vectors.add(param.name());
    }
  }

  /** What is trained, by name. */
  public Map<String, double[]> trained() {
    return trained;
  }

  private static double[] doubles(float[] values) {
    double[] wide = new double[values.length];
    Arrays.setAll(wide, i -> values[i]);
    return wide;
  }

  /**
   * @return the loss sum before the update
   */
  public double step(int batch) {
    weights.forEach((name, weight) -> whole.put(name + ".weight", merged(weight)));
    own.forEach(name -> whole.put(name, floats(of(name))));
    double loss = whole.accumulate(batch);
    steps++;
    Map<String, double[]> gradients = new HashMap<>();
    weights.forEach((name, weight) -> gradients(weight, gradients));
    trained.forEach(
        (name, value) -> {
          double[] gradient = gradients.get(name);
          adamW(name, value, gradient == null ? doubles(whole.read("grad/" + name)) : gradient);
        });
    return loss;
  }

  private static float[] floats(double[] values) {
    float[] narrow = new float[values.length];
    for (int i = 0; i < narrow.length; i++) {
      narrow[i] = (float) values[i];
    }
    return narrow;
  }

  private static int at(Weight weight, int out, int in) {
    return weight.layout() == WeightLayout.OUT_IN
        ? out * weight.in() + in
        : in * weight.out() + out;
  }

  private double[] of(Weight weight, String suffix) {
    return of(weight.name() + suffix);
  }

  private double[] of(String name) {
    return java.util.Objects.requireNonNull(trained.get(name), name);
  }

  /** W + s B A, before any length. */
  private double[] direction(Weight weight) {
    double[] v = java.util.Objects.requireNonNull(base.get(weight.name())).clone();
    double[] a = of(weight, ".lora_A.weight");
    double[] b = of(weight, ".lora_B.weight");
    for (int out = 0; out < weight.out(); out++) {
      for (int in = 0; in < weight.in(); in++) {
        for (int k = 0; k < rank; k++) {
          if (kept(weight, out, in)) {
            v[at(weight, out, in)] += scale * b[out * rank + k] * a[k * weight.in() + in];
          }
        }
      }
    }
    return v;
  }

  /** Whether the branch may change this element. */
  private boolean kept(Weight weight, int out, int in) {
    double[] w = java.util.Objects.requireNonNull(base.get(weight.name()));
    return !AdaptedRank.prunes(adapter) || w[at(weight, out, in)] != 0;
  }

  private double norm(Weight weight, double[] v, int out) {
    double squares = 0;
    for (int in = 0; in < weight.in(); in++) {
      squares += v[at(weight, out, in)] * v[at(weight, out, in)];
    }
    return Math.sqrt(squares);
  }

  private float[] merged(Weight weight) {
    double[] w;
    if (adapter instanceof Paca) {
      w = java.util.Objects.requireNonNull(base.get(weight.name())).clone();
      double[] delta = of(weight, ".paca_delta");
      int[] chosen = chosen(weight);
      for (int out = 0; out < weight.out(); out++) {
        for (int k = 0; k < chosen.length; k++) {
          w[at(weight, out, chosen[k])] += scale * delta[narrow(weight, out, k)];
        }
      }
    } else {
      w = direction(weight);
    }
    float[] merged = new float[w.length];
    for (int out = 0; out < weight.out(); out++) {
      double length = 1;
      if (adapter instanceof Dora) {
        length = of(weight, ".lora_magnitude_vector")[out] / norm(weight, w, out);
      }
      for (int in = 0; in < weight.in(); in++) {
        merged[at(weight, out, in)] = (float) (length * w[at(weight, out, in)]);
      }
    }
    return merged;
  }

  private int[] chosen(Weight weight) {
    return java.util.Objects.requireNonNull(columns.get(weight.name() + ".weight")).toArray();
  }

  private int narrow(Weight weight, int out, int k) {
    return weight.layout() == WeightLayout.OUT_IN ? out * rank + k : k * weight.out() + out;
  }

  private void gradients(Weight weight, Map<String, double[]> into) {
    double[] dw = doubles(whole.read("grad/" + weight.matrix().name()));
    String name = weight.name();
    if (adapter instanceof Paca) {
      double[] delta = new double[rank * weight.out()];
      int[] chosen = chosen(weight);
      for (int out = 0; out < weight.out(); out++) {
        for (int k = 0; k < rank; k++) {
          delta[narrow(weight, out, k)] = scale * dw[at(weight, out, chosen[k])];
        }
      }
      into.put(name + ".paca_delta", delta);
      return;
    }
    double[] a = of(weight, ".lora_A.weight");
    double[] b = of(weight, ".lora_B.weight");
    double[] v = direction(weight);
    double[] dm = new double[weight.out()];
    double[] da = new double[a.length];
    double[] db = new double[b.length];
    for (int out = 0; out < weight.out(); out++) {
      double length = 1;
      double norm = norm(weight, v, out);
      if (adapter instanceof Dora) {
        length = of(weight, ".lora_magnitude_vector")[out] / norm;
      }
      for (int in = 0; in < weight.in(); in++) {
        double g = kept(weight, out, in) ? dw[at(weight, out, in)] : 0;
        dm[out] += g * v[at(weight, out, in)] / norm;
        for (int k = 0; k < rank; k++) {
          da[k * weight.in() + in] += scale * length * g * b[out * rank + k];
          db[out * rank + k] += scale * length * g * a[k * weight.in() + in];
        }
      }
    }
    into.put(name + ".lora_A.weight", da);
    into.put(name + ".lora_B.weight", db);
    into.put(name + ".lora_magnitude_vector", dm);
  }

  private void adamW(String name, double[] p, double[] gradient) {
    double[] moment = java.util.Objects.requireNonNull(moments.get(name));
    double lr = AdaptedRank.RULE.lr();
    double beta1 = AdaptedRank.RULE.beta1();
    double beta2 = AdaptedRank.RULE.beta2();
    double decay = vectors.contains(name) ? 0 : AdaptedRank.RULE.weightDecay();
    for (int i = 0; i < p.length; i++) {
      double g = gradient[i] / AdaptedRank.TOKENS;
      moment[2 * i] = beta1 * moment[2 * i] + (1 - beta1) * g;
      moment[2 * i + 1] = beta2 * moment[2 * i + 1] + (1 - beta2) * g * g;
      double m = moment[2 * i] / (1 - Math.pow(beta1, steps));
      double v = moment[2 * i + 1] / (1 - Math.pow(beta2, steps));
      p[i] -= lr * (m / (Math.sqrt(v) + AdaptedRank.RULE.eps()) + decay * p[i]);
    }
  }

  @Override
  public void close() {
    whole.close();
  }
}
