package dev.kindling.optim.rule;

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
    } else if (rule instanceof Sgd sgd) {
      sgd(sgd, g, eta);
    } else if (rule instanceof Lion lion) {
      lion(lion, g, eta);
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

  /** Chen et al. 2023, algorithm 2. */
  private void lion(Lion lion, double[] g, double eta) {
    for (int i = 0; i < g.length; i++) {
      double c = lion.beta1() * first[i] + (1 - lion.beta1()) * g[i];
      theta[i] -= eta * (Math.signum(c) + decay(lion, i) * theta[i]);
      first[i] = lion.beta2() * first[i] + (1 - lion.beta2()) * g[i];
    }
  }

  private void sgd(Sgd sgd, double[] g, double eta) {
    for (int i = 0; i < g.length; i++) {
      double withDecay = g[i] + decay(sgd, i) * theta[i];
      first[i] = sgd.momentum() * first[i] + withDecay;
      theta[i] -= eta * (sgd.nesterov() ? withDecay + sgd.momentum() * first[i] : first[i]);
    }
  }
}
