package dev.kindling.worker.step;

import dev.kindling.comm.loopback.LoopbackCommunicator;
import dev.kindling.kernels.graph.Role;
import dev.kindling.optim.rule.Optimizer;
import java.util.ArrayList;
import java.util.List;

/**
 * The methods once more, over the same model: inner steps by programs that know of no outer step,
 * everything between rounds in fp64 on the host, one replica after the other.
 */
final class OuterRun implements AutoCloseable {
  private final List<StepRank> replicas = new ArrayList<>();
  private final int tau;
  private int step;

  /** Weights at the start of the round, before any rounding. */
  double[] x;

  OuterRun(Optimizer rule, int count, int tau) {
    this.tau = tau;
    for (int replica = 0; replica < count; replica++) {
      replicas.add(new StepRank(rule, 2, 1, LoopbackCommunicator.create(1).get(0)));
    }
    x = doubles(replicas.get(0).weights());
  }

  /** Mean over the replicas of what a round from x moves them by. */
  double[] meanDisplacement() {
    double[] mean = new double[x.length];
    for (int replica = 0; replica < replicas.size(); replica++) {
      StepRank rank = replicas.get(replica);
      float[] start = new float[x.length];
      for (int i = 0; i < start.length; i++) {
        start[i] = (float) x[i];
      }
      rank.program().memory().arena(Role.PARAMETER).put(start);
      for (int inner = 0; inner < tau; inner++) {
        rank.step(ReplicaRuns.first(step + inner, replica, replicas.size()), 2);
      }
      double[] end = doubles(rank.weights());
      for (int i = 0; i < mean.length; i++) {
        mean[i] += (x[i] - end[i]) / replicas.size();
      }
    }
    step += tau;
    return mean;
  }

  static double[] doubles(float[] values) {
    double[] wide = new double[values.length];
    for (int i = 0; i < wide.length; i++) {
      wide[i] = values[i];
    }
    return wide;
  }

  @Override
  public void close() {
    replicas.forEach(StepRank::close);
  }
}
