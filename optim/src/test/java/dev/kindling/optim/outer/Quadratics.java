package dev.kindling.optim.outer;

import java.util.Random;

/**
 * One quadratic for each replica, 0.5 sum of h (x - centre)^2, with curvatures that all share: the
 * displacement of a round is affine in its start, so a mean of displacements is that of a mean.
 *
 * @param curvatures by element, in (0, 1]
 * @param centres by replica and element
 */
record Quadratics(double[] curvatures, double[][] centres) {
  static Quadratics of(int replicas, long seed) {
    Random random = new Random(seed);
    double[] curvatures = new double[Replicas.ELEMENTS];
    double[][] centres = new double[replicas][Replicas.ELEMENTS];
    for (int e = 0; e < curvatures.length; e++) {
      curvatures[e] = 0.05 + 0.95 * random.nextDouble();
      for (double[] centre : centres) {
        centre[e] = random.nextGaussian();
      }
    }
    return new Quadratics(curvatures, centres);
  }

  static double[] start(long seed) {
    return new Random(~seed).doubles(Replicas.ELEMENTS, -2, 2).map(x -> (float) x).toArray();
  }

  double[] gradient(int replica, double[] x) {
    double[] gradient = new double[x.length];
    for (int e = 0; e < x.length; e++) {
      gradient[e] = curvatures[e] * (x[e] - centres[replica][e]);
    }
    return gradient;
  }

  /** Steps of gradient descent from x. */
  double[] descended(int replica, double[] x, double lr, int steps) {
    double[] end = x.clone();
    for (int step = 0; step < steps; step++) {
      double[] gradient = gradient(replica, end);
      for (int e = 0; e < end.length; e++) {
        end[e] -= lr * gradient[e];
      }
    }
    return end;
  }

  /** A round of inner steps on every replica, the first one measured. */
  void round(Replicas replicas, double lr, int steps) {
    double[][] from = new double[replicas.count()][];
    for (int i = 0; i < from.length; i++) {
      from[i] = replicas.live(i);
      replicas.write(i, p -> p.name(), descended(i, from[i], lr, 1));
    }
    replicas.firstStep();
    for (int i = 0; i < from.length; i++) {
      replicas.write(i, p -> p.name(), descended(i, from[i], lr, steps));
    }
  }
}
