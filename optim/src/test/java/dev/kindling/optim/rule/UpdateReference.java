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
  private double beta1Power = 1;
  private double beta2Power = 1;

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
    double eta = rule.lr() * lrFactor;
    if (rule instanceof AdamW adam) {
      adam(adam, g, eta);
    } else if (rule instanceof Apollo apollo) {
      apollo(apollo, g, eta);
    } else if (rule instanceof ApolloMini mini) {
      apollo(mini.general(), g, eta);
    } else if (rule instanceof Sgd sgd) {
      sgd(sgd, g, eta);
    } else {
      throw new AssertionError("no reference for " + rule);
    }
  }

  private static double decay(UpdateRule rule, int i) {
    return i < UpdateBench.DECAYED ? rule.weightDecay() : 0;
  }

  private void adam(AdamW adam, double[] g, double eta) {
    beta1Power *= adam.beta1();
    beta2Power *= adam.beta2();
    for (int i = 0; i < g.length; i++) {
      first[i] = adam.beta1() * first[i] + (1 - adam.beta1()) * g[i];
      second[i] = adam.beta2() * second[i] + (1 - adam.beta2()) * g[i] * g[i];
      double mHat = first[i] / (1 - beta1Power);
      double vHat = second[i] / (1 - beta2Power);
      theta[i] -= eta * (mHat / (Math.sqrt(vHat) + adam.eps()) + decay(adam, i) * theta[i]);
    }
  }

  /** The matrix comes first, 3 times 2; the vector follows AdamW. */
  private void apollo(Apollo apollo, double[] g, double eta) {
    double[] before = Arrays.copyOf(theta, UpdateBench.DECAYED);
    adam((AdamW) apollo.rules().get(1), g, eta);
    if (matrix == null) {
      matrix = new ApolloReference(apollo, "matrix.weight", 3, 2);
    }
    double[] own = Arrays.copyOf(g, UpdateBench.DECAYED);
    matrix.update(before, own, eta / apollo.lr(), true);
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
