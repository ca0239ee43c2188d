package dev.kindling.worker.adapt;

import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.op.WeightLayout;
import java.util.Map;
import java.util.Objects;

/**
 * Backward of DoRA takes row norms as constants. A difference of losses does so too where the
 * lengths m change by the same factors as the norms.
 */
final class KeptNorms {
  private KeptNorms() {}

  private static LowRankProjection projection(AdaptedRank rank) {
    return (LowRankProjection) rank.program().projection();
  }

  private static String map(Param param) {
    return param.name().replaceFirst("\\.lora_[AB]\\.weight$", "");
  }

  /** Lengths and norms of the map that the factor belongs to; empty for another parameter. */
  static Map<String, float[]> before(AdaptedRank rank, Param param) {
    Branch branch = projection(rank).branches().get(map(param));
    return branch == null
        ? Map.of()
        : Map.of("m", rank.read(branch.length().name()), "norm", norms(rank, branch));
  }

  /** Puts other lengths and returns the old ones by name. */
  static Map<String, float[]> after(AdaptedRank rank, Param param, Map<String, float[]> before) {
    Branch branch = projection(rank).branches().get(map(param));
    if (branch == null) {
      return Map.of();
    }
    float[] old = Objects.requireNonNull(before.get("m"));
    float[] norm = Objects.requireNonNull(before.get("norm"));
    float[] now = norms(rank, branch);
    float[] moved = old.clone();
    for (int i = 0; i < moved.length; i++) {
      moved[i] *= now[i] / norm[i];
    }
    rank.put(branch.length().name(), moved);
    return Map.of(branch.length().name(), old);
  }

  private static float[] norms(AdaptedRank rank, Branch branch) {
    float[] w = rank.matrix(branch.weight().matrix().name());
    float[] a = rank.read(branch.down().name());
    float[] b = rank.read(branch.up().name());
    int ins = branch.weight().in();
    int outs = branch.weight().out();
    boolean outIn = branch.weight().layout() == WeightLayout.OUT_IN;
    float[] norms = new float[outs];
    for (int out = 0; out < outs; out++) {
      double squares = 0;
      for (int in = 0; in < ins; in++) {
        double v = w[outIn ? out * ins + in : in * outs + out];
        for (int k = 0; k < branch.rank(); k++) {
          v += (double) branch.scale() * b[out * branch.rank() + k] * a[k * ins + in];
        }
        squares += v * v;
      }
      norms[out] = (float) Math.sqrt(squares);
    }
    return norms;
  }
}
