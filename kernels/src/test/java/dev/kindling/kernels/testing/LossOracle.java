package dev.kindling.kernels.testing;

import dev.kindling.kernels.graph.op.CrossEntropy;
import java.util.List;

/** Cross entropy. */
final class LossOracle {
  private LossOracle() {}

  static List<double[]> loss(Oracle.Call call) {
    int vocabulary = call.dim(0, 1);
    double[] z = call.in(0);
    double[] dz = new double[z.length];
    double loss = 0;
    double count = 0;
    for (int t = 0; t < call.dim(0, 0); t++) {
      int target = (int) call.in(1)[t];
      if (target == CrossEntropy.IGNORED) {
        continue;
      }
      double max = Double.NEGATIVE_INFINITY;
      double sum = 0;
      for (int i = 0; i < vocabulary; i++) {
        max = Math.max(max, z[t * vocabulary + i]);
      }
      for (int i = 0; i < vocabulary; i++) {
        sum += Math.exp(z[t * vocabulary + i] - max);
      }
      double lse = max + Math.log(sum);
      loss += lse - z[t * vocabulary + target];
      count++;
      for (int i = 0; i < vocabulary; i++) {
        dz[t * vocabulary + i] = Math.exp(z[t * vocabulary + i] - lse) - (i == target ? 1 : 0);
      }
    }
    return List.of(new double[] {loss}, new double[] {count}, dz);
  }
}
