package dev.kindling.kernels.testing;

import dev.kindling.kernels.graph.Channels;
import dev.kindling.kernels.graph.StepScalar;
import dev.kindling.kernels.graph.op.AdamDirection;
import dev.kindling.kernels.graph.op.Project;
import dev.kindling.kernels.graph.op.Subspace;
import java.util.List;

/** GaLore's parts in fp64, with singular vectors as exact as fp64 has them. */
final class SubspaceOracle {
  private SubspaceOracle() {}

  /** The gradient with its shorter side as rows. */
  private static double[][] turned(Channels channels, double[] gradient) {
    double[][] rows = new double[channels.contracted()][channels.own()];
    for (int i = 0; i < rows.length; i++) {
      for (int j = 0; j < rows[i].length; j++) {
        int place = channels.areRows() ? j * channels.columns() + i : i * channels.columns() + j;
        rows[i][j] = gradient[place];
      }
    }
    return rows;
  }

  static List<double[]> subspace(Oracle.Call call) {
    Subspace op = (Subspace) call.op();
    double[] basis = call.in(1).clone();
    double age = call.in(2)[0];
    boolean skips = call.in(3)[0] == 0;
    boolean due = !skips && (age < 1 || age >= op.interval());
    if (due) {
      double[][] vectors = SingularVectors.of(turned(op.channels(), call.in(0)), op.rank());
      for (int k = 0; k < op.rank(); k++) {
        double along = 0;
        for (int i = 0; i < vectors[k].length; i++) {
          along += vectors[k][i] * Subspace.start(op.key(), (long) i * op.rank() + k);
        }
        for (int i = 0; i < vectors[k].length; i++) {
          basis[i * op.rank() + k] = along < 0 ? -vectors[k][i] : vectors[k][i];
        }
      }
    }
    double[] next = {skips ? age : due ? 1 : age + 1};
    return List.of(basis, next, basis);
  }

  static List<double[]> project(Oracle.Call call) {
    Project op = (Project) call.op();
    double[][] rows = turned(op.channels(), call.in(0));
    double[] projected = new double[op.channels().own() * op.rank()];
    for (int i = 0; i < rows.length; i++) {
      for (int j = 0; j < rows[i].length; j++) {
        for (int k = 0; k < op.rank(); k++) {
          projected[j * op.rank() + k] += call.in(1)[i * op.rank() + k] * rows[i][j];
        }
      }
    }
    return List.of(projected);
  }

  static List<double[]> direction(Oracle.Call call) {
    AdamDirection op = (AdamDirection) call.op();
    double[] m = call.in(1).clone();
    double[] v = call.in(2).clone();
    double[] direction = new double[m.length];
    double scale = call.in(3)[0];
    double[] step = call.in(4);
    for (int i = 0; scale != 0 && i < m.length; i++) {
      double g = scale * call.in(0)[i];
      m[i] = op.beta1() * m[i] + (1.0 - op.beta1()) * g;
      v[i] = op.beta2() * v[i] + (1.0 - op.beta2()) * g * g;
      double mean = m[i] / step[StepScalar.BIAS_CORRECTION1.ordinal()];
      double square = v[i] / step[StepScalar.BIAS_CORRECTION2.ordinal()];
      direction[i] = mean / (Math.sqrt(square) + op.eps());
    }
    return List.of(direction, m, v);
  }
}
