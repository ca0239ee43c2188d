package dev.kindling.kernels.testing;

import dev.kindling.kernels.graph.op.AllGather;
import dev.kindling.kernels.graph.op.AllReduce;
import dev.kindling.kernels.graph.op.AllToAll;
import dev.kindling.kernels.graph.op.Broadcast;
import dev.kindling.kernels.graph.op.Op;
import dev.kindling.kernels.graph.op.Reduce;
import dev.kindling.kernels.graph.op.ReduceScatter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Collectives, seen from above all ranks. */
final class CollectiveOracle {
  private CollectiveOracle() {}

  /** Outputs of each rank from the inputs of each rank. */
  static List<List<double[]>> evaluate(Op op, List<List<double[]>> ranks) {
    List<List<double[]>> outputs = new ArrayList<>();
    for (int rank = 0; rank < ranks.size(); rank++) {
      outputs.add(outputs(op, ranks, rank));
    }
    return outputs;
  }

  private static List<double[]> outputs(Op op, List<List<double[]>> ranks, int rank) {
    List<double[]> outputs = new ArrayList<>();
    boolean elementwise =
        op instanceof AllReduce || op instanceof Broadcast || op instanceof Reduce;
    for (int i = 0; i < (elementwise ? ranks.get(0).size() : 1); i++) {
      int input = i;
      outputs.add(output(op, ranks.stream().map(inputs -> inputs.get(input)).toList(), rank));
    }
    return outputs;
  }

  private static double[] output(Op op, List<double[]> x, int rank) {
    int size = x.get(0).length;
    int piece = size / x.size();
    if (op instanceof AllReduce) {
      return sum(x);
    }
    if (op instanceof ReduceScatter) {
      return Arrays.copyOfRange(sum(x), rank * piece, (rank + 1) * piece);
    }
    if (op instanceof Broadcast broadcast) {
      return x.get(broadcast.root()).clone();
    }
    if (op instanceof Reduce reduce) {
      return rank == reduce.root() ? sum(x) : new double[size];
    }
    boolean gather = op instanceof AllGather;
    if (!gather && !(op instanceof AllToAll)) {
      throw new IllegalArgumentException("no oracle for " + op);
    }
    int length = gather ? size : piece;
    double[] joint = new double[length * x.size()];
    for (int r = 0; r < x.size(); r++) {
      System.arraycopy(x.get(r), gather ? 0 : rank * piece, joint, r * length, length);
    }
    return joint;
  }

  private static double[] sum(List<double[]> x) {
    double[] sum = new double[x.get(0).length];
    for (double[] summand : x) {
      for (int i = 0; i < sum.length; i++) {
        sum[i] += summand[i];
      }
    }
    return sum;
  }
}
