package dev.kindling.kernels.testing;

import dev.kindling.kernels.graph.StepScalar;
import dev.kindling.kernels.graph.op.AddLoss;
import dev.kindling.kernels.graph.op.Mezo;
import dev.kindling.kernels.graph.op.Perturb;
import dev.kindling.kernels.graph.op.ProjectedGradient;
import dev.kindling.kernels.random.PhiloxWords;
import java.util.List;

/** Perturbation, loss sums, slopes and updates, with normal numbers by the textbook in fp64. */
public final class ZerothOrderOracle {
  private ZerothOrderOracle() {}

  /** Number of element i of a stream in one step and direction: Box-Muller of half words. */
  public static double normal(long key, long i, int step, int direction) {
    long block = i / 8;
    int[] words = PhiloxWords.of(key, (int) block, (int) (block >>> 32), step, direction);
    int word = words[(int) (i % 8) / 2];
    double radius = Math.sqrt(-2 * Math.log(((word >>> 16) + 0.5) / 65536));
    double angle = ((word & 0x1FFF) + 0.5) / 8192 * Math.PI / 4;
    boolean swap = (word & 0x2000) != 0;
    boolean first = i % 2 == 0;
    double side = first != swap ? Math.cos(angle) : Math.sin(angle);
    boolean negative = (word & (first ? 0x8000 : 0x4000)) != 0;
    return negative ? -radius * side : radius * side;
  }

  private static boolean moves(Oracle.Call call, boolean masked, double p) {
    return !masked || Math.abs(p) <= call.in(call.last() - 1)[0];
  }

  static List<double[]> perturb(Oracle.Call call) {
    Perturb op = (Perturb) call.op();
    int step = (int) call.in(call.last())[StepScalar.STEP.ordinal()];
    double[] plus = call.in(0).clone();
    double[] minus = call.in(0).clone();
    for (int i = 0; i < plus.length; i++) {
      if (moves(call, op.masked(), call.in(0)[i])) {
        double z = normal(op.key(), i, step, op.direction());
        plus[i] += op.eps() * z;
        minus[i] -= op.eps() * z;
      }
    }
    return List.of(plus, minus);
  }

  static List<double[]> mezo(Oracle.Call call) {
    Mezo op = (Mezo) call.op();
    double[] p = call.in(0).clone();
    double rate = call.in(call.last())[StepScalar.LEARNING_RATE.ordinal()];
    int step = (int) call.in(call.last())[StepScalar.STEP.ordinal()];
    for (int i = 0; i < p.length && call.in(2)[0] != 0; i++) {
      if (moves(call, op.masked(), call.in(0)[i])) {
        double change = op.weightDecay() * call.in(0)[i];
        for (int j = 0; j < op.directions(); j++) {
          change += call.in(1)[j] * normal(op.key(), i, step, j) / op.directions();
        }
        p[i] -= rate * change;
      }
    }
    return List.of(p);
  }

  static List<double[]> addLoss(Oracle.Call call) {
    int place = 2 * ((AddLoss) call.op()).place();
    List<double[]> loss = LossOracle.loss(call);
    double[] sums = call.in(2).clone();
    double sum = sums[place] + sums[place + 1] + loss.get(0)[0];
    sums[place] = (float) sum;
    sums[place + 1] = sum - (float) sum;
    double count = call.in(3)[0] + (place == 0 ? loss.get(1)[0] : 0);
    return List.of(sums, new double[] {count});
  }

  static List<double[]> projectedGradient(Oracle.Call call) {
    ProjectedGradient op = (ProjectedGradient) call.op();
    int n = op.directions();
    double[] all = call.in(0);
    int width = all.length / op.ranks();
    double[] means = new double[2 * n];
    double tokens = 0;
    double votes = 0;
    for (int at = 0; at < all.length; at += width) {
      tokens += all[at + width - 2];
      votes += all[at + width - 1];
    }
    double total = 0;
    for (int i = 0; i < 2 * n; i++) {
      for (int at = 0; at < all.length; at += width) {
        means[i] += (all[at + 2 * i] + all[at + 2 * i + 1]) / tokens;
      }
      total += means[i] * tokens / (2 * n);
    }
    double[] slopes = new double[n];
    double squares = 0;
    boolean usable = tokens > 0;
    for (int j = 0; j < n; j++) {
      slopes[j] = (means[2 * j] - means[2 * j + 1]) / (2.0 * op.eps());
      squares += slopes[j] * slopes[j] / n;
      usable &= Double.isFinite(slopes[j]);
    }
    return List.of(
        usable ? slopes : new double[n],
        new double[] {usable ? 1 / tokens : 0},
        new double[] {total},
        new double[] {tokens},
        new double[] {Math.sqrt(squares)},
        new double[] {votes});
  }
}
