package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.OuterScalar;
import dev.kindling.kernels.graph.ValueType;
import java.util.ArrayList;
import java.util.List;

/**
 * The outer step of a local-update method, in place. Inputs anchor x, momentum m, live weights w,
 * payload p, with {@link Merge#OWN} what was kept k (equal fp32 types), block of {@link
 * OuterScalar}, gain [1] -> x, m, w, and where something departs p and k, over theirs.
 *
 * <pre>
 * d = x - w                               what this replica did in the round that ends
 * u = p                                   (fresh, stale)
 * u = share d + (p - share k)             (own)
 * v = gain u;  m = clip(momentum m + v, momentum limit)
 * s = clip(nesterov ? momentum m + v : m, step limit)
 * x = x - rate s;  w = x;  p = d, k = d   (p, k: where something departs)
 * </pre>
 *
 * <p>p is the mean over replicas of the d that departed before; clip(a, b) is a bounded to [-b, b].
 * The old x and w are read before they are written, so one buffer holds what arrived and what
 * departs. fp32, one rounding an operation, no fused multiply-add: the same bits on every device.
 * With p = k and a share of 1 the bracket is exactly 0.
 *
 * <p>Fresh, gain 1: Wang et al. 2020 (SlowMo, 1910.00643), algorithm 1, and Douillard et al. 2023
 * (DiLoCo, 2311.08105), algorithm 1. Stale: Sun et al. 2024 (CO2, 2401.16265), section 3. Own: Kale
 * et al. 2025 (2502.12996) for a share of 1 / replicas; a share of 1 adds an outer momentum to Shen
 * et al. 2019 (CoCoD-SGD, 1906.12043), so that the mean over replicas follows the fresh update.
 */
public record OuterUpdate(Merge merge, boolean nesterov) implements Op {
  /** What the payload is and whether anything departs. */
  public enum Merge {
    /** The mean of the round that ends; nothing departs. */
    FRESH,
    /** The mean of the round before; this replica's displacement departs in its place. */
    STALE,
    /** As stale, corrected by what this replica knows of itself. */
    OWN
  }

  /** Arrays of a parameter. */
  private int arrays() {
    return merge == Merge.OWN ? 5 : 4;
  }

  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    int arrays = arrays();
    Expect.count(this, inputs, arrays + 2);
    Expect.elementwise(this, inputs.subList(0, arrays), arrays);
    Expect.f32(this, inputs, arrays, OuterScalar.values().length);
    Expect.f32(this, inputs, arrays + 1, 1);
    return new ArrayList<>(inputs.subList(0, merge == Merge.FRESH ? 3 : arrays));
  }

  /** Live weights are written unread where nothing departs. */
  @Override
  public long bytes(List<ValueType> inputs) {
    long unread = merge == Merge.FRESH ? inputs.get(2).bytes() : 0;
    return Op.super.bytes(inputs) - unread;
  }

  @Override
  public int alias(int output) {
    return output;
  }
}
