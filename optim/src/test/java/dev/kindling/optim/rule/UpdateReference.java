package dev.kindling.optim.rule;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * The rules in fp64, element by element, from the papers' formulas (written without looking at the
 * kernels): Loshchilov and Hutter 2019, algorithm 2; Sutskever et al. 2013 with L2 decay; global
 * norm clipping of Pascanu et al. 2013, algorithm 1.
 */
final class UpdateReference {
  private final UpdateRule rule;
  private final double[] theta;
  private final double[] first;
  private final double[] second;
  private @Nullable ApolloReference matrix;
  private @Nullable GaloreReference subspace;
  private double beta1Power = 1;
  private double beta2Power = 1;
  private int updates;

  UpdateReference(UpdateRule rule, float[] start) {
    this.rule = rule;
    theta = new double[start.length];
    for (int i = 0; i < start.length; i++) {
      theta[i] = start[i];
    }
    first = new double[start.length];
    second = new double[start.length];
  }

  double[] parameters() {
    return theta;
  }

  /** First moments or momentum, zero before the first update. */
  double[] first() {
    return first;
  }

  /** Second moments. */
  double[] second() {
    return second;
  }

  /** Number of this update, from 1. */
  int updates() {
    return updates;
  }

  void update(float[] gradientSum, double tokens, double lrFactor) {
    double[] g = new double[gradientSum.length];
    double squares = 0;
    for (int i = 0; i < g.length; i++) {
      g[i] = gradientSum[i] / tokens;
      squares += g[i] * g[i];
    }
    double norm = Math.sqrt(squares);
    if (rule.clipNorm() > 0 && norm > rule.clipNorm()) {
      for (int i = 0; i < g.length; i++) {
        g[i] *= rule.clipNorm() / norm;
      }
    }
    updates++;
    double eta = rule.lr() * lrFactor;
    if (rule instanceof AdamW adam) {
      adam(adam, g, eta, 0);
    } else if (rule instanceof Apollo apollo) {
      apollo(apollo, g, eta);
    } else if (rule instanceof ApolloMini mini) {
      apollo(mini.general(), g, eta);
    } else if (rule instanceof Galore galore) {
      galore(galore, g, eta);
    } else if (rule instanceof Sgd sgd) {
      sgd(sgd, g, eta);
    } else if (rule instanceof Adafactor factored) {
      MatrixReference.adafactor(factored, g, this, eta);
    } else if (rule instanceof AdamMini mini) {
      adamMini(mini, g, eta);
    } else if (rule instanceof Muon muon) {
      MatrixReference.muon(muon, g, this, eta);
      adam((AdamW) muon.rules().get(1), g, eta, UpdateBench.DECAYED);
    } else if (rule instanceof Lion lion) {
      lion(lion, g, eta);
    } else {
      throw new AssertionError("no reference for " + rule);
    }
  }

  static double decay(UpdateRule rule, int i) {
    return i < UpdateBench.DECAYED ? rule.weightDecay() : 0;
  }

  private void adam(AdamW adam, double[] g, double eta, int from) {
    beta1Power *= adam.beta1();
    beta2Power *= adam.beta2();
    for (int i = from; i < g.length; i++) {
      first[i] = adam.beta1() * first[i] + (1 - adam.beta1()) * g[i];
      second[i] = adam.beta2() * second[i] + (1 - adam.beta2()) * g[i] * g[i];
      double mHat = first[i] / (1 - beta1Power);
      double vHat = second[i] / (1 - beta2Power);
      theta[i] -= eta * (mHat / (Math.sqrt(vHat) + adam.eps()) + decay(adam, i) * theta[i]);
    }
  }

  /** Zhang et al. 2024, algorithm 1: rows of the matrix, then the vector as a whole. */
  private void adamMini(AdamMini mini, double[] g, double eta) {
    beta1Power *= mini.beta1();
    beta2Power *= mini.beta2();
    int[] starts = {0, 2, 4, UpdateBench.DECAYED, g.length};
    for (int block = 0; block + 1 < starts.length; block++) {
      int from = starts[block];
      int to = starts[block + 1];
      double squares = 0;
      for (int i = from; i < to; i++) {
        squares += g[i] * g[i];
      }
      second[block] = mini.beta2() * second[block] + (1 - mini.beta2()) * squares / (to - from);
      double root = Math.sqrt(second[block] / (1 - beta2Power)) + mini.eps();
      for (int i = from; i < to; i++) {
        first[i] = mini.beta1() * first[i] + (1 - mini.beta1()) * g[i];
        double mHat = first[i] / (1 - beta1Power);
        theta[i] -= eta * (mHat / root + decay(mini, i) * theta[i]);
      }
    }
  }

  /** Chen et al. 2023, algorithm 2. */
  private void lion(Lion lion, double[] g, double eta) {
    for (int i = 0; i < g.length; i++) {
      double c = lion.beta1() * first[i] + (1 - lion.beta1()) * g[i];
      theta[i] -= eta * (Math.signum(c) + decay(lion, i) * theta[i]);
      first[i] = lion.beta2() * first[i] + (1 - lion.beta2()) * g[i];
    }
  }

  /** The matrix comes first, 3 times 2; the vector follows AdamW. */
  private void apollo(Apollo apollo, double[] g, double eta) {
    double[] before = Arrays.copyOf(theta, UpdateBench.DECAYED);
    adam((AdamW) apollo.rules().get(1), g, eta, 0);
    if (matrix == null) {
      matrix = new ApolloReference(apollo, "matrix.weight", 3, 2);
    }
    double[] own = Arrays.copyOf(g, UpdateBench.DECAYED);
    matrix.update(before, own, eta / apollo.lr(), true);
    System.arraycopy(before, 0, theta, 0, before.length);
  }

  private void galore(Galore galore, double[] g, double eta) {
    double[] before = Arrays.copyOf(theta, UpdateBench.DECAYED);
    adam((AdamW) galore.rules().get(1), g, eta, 0);
    if (subspace == null) {
      subspace = new GaloreReference(galore, 3, 2);
    }
    subspace.update(before, Arrays.copyOf(g, UpdateBench.DECAYED), eta / galore.lr(), true);
    System.arraycopy(before, 0, theta, 0, before.length);
  }

  private void sgd(Sgd sgd, double[] g, double eta) {
    for (int i = 0; i < g.length; i++) {
      double withDecay = g[i] + decay(sgd, i) * theta[i];
      first[i] = sgd.momentum() * first[i] + withDecay;
      theta[i] -= eta * (sgd.nesterov() ? withDecay + sgd.momentum() * first[i] : first[i]);
    }
  }
}
