package dev.kindling.kernels.testing;

import dev.kindling.kernels.graph.OuterScalar;
import dev.kindling.kernels.graph.op.OuterUpdate;
import dev.kindling.kernels.graph.op.OuterUpdate.Merge;
import java.util.List;

/** Outer steps. */
final class OuterOracle {
  private OuterOracle() {}

  static List<double[]> update(Oracle.Call call) {
    OuterUpdate op = (OuterUpdate) call.op();
    boolean own = op.merge() == Merge.OWN;
    double[] x = call.in(0).clone();
    double[] m = call.in(1).clone();
    double[] payload = call.in(3).clone();
    double[] block = call.in(call.inputs().size() - 2);
    double gain = call.in(call.inputs().size() - 1)[0];
    double share = own ? block[OuterScalar.OWN_SHARE.ordinal()] : 0;
    double beta = block[OuterScalar.MOMENTUM.ordinal()];
    for (int i = 0; i < x.length; i++) {
      double d = x[i] - call.in(2)[i];
      double u = payload[i] + (own ? share * (d - call.in(4)[i]) : 0);
      m[i] = clip(beta * m[i] + gain * u, block[OuterScalar.MOMENTUM_LIMIT.ordinal()]);
      double step = op.nesterov() ? beta * m[i] + gain * u : m[i];
      x[i] -=
          block[OuterScalar.RATE.ordinal()] * clip(step, block[OuterScalar.STEP_LIMIT.ordinal()]);
      payload[i] = d;
    }
    List<double[]> always = List.of(x, m, x);
    return switch (op.merge()) {
      case FRESH -> always;
      case STALE -> List.of(x, m, x, payload);
      case OWN -> List.of(x, m, x, payload, payload);
    };
  }

  private static double clip(double value, double limit) {
    return Math.max(-limit, Math.min(limit, value));
  }

  static List<double[]> depart(Oracle.Call call) {
    double[] away = call.in(0).clone();
    for (int i = 0; i < away.length; i++) {
      away[i] -= call.in(1)[i];
    }
    return List.of(away);
  }

  static List<double[]> squaredDistance(Oracle.Call call) {
    double sum = 0;
    for (int pair = 0; pair < call.inputs().size(); pair += 2) {
      for (int i = 0; i < call.in(pair).length; i++) {
        sum += Math.pow(call.in(pair)[i] - call.in(pair + 1)[i], 2);
      }
    }
    return List.of(new double[] {sum});
  }

  static List<double[]> stalenessGap(Oracle.Call call) {
    double[] block = call.in(2);
    double moved = block[OuterScalar.RATE.ordinal()] * call.in(0)[0];
    double reach = block[OuterScalar.INNER_STEPS.ordinal()] * Math.sqrt(call.in(1)[0]);
    return List.of(new double[] {reach == 0 ? 1 : reach / (reach + moved)});
  }
}
