package dev.kindling.worker.model;

import dev.kindling.kernels.graph.Columns;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.op.ScatterColumns;
import dev.kindling.kernels.graph.op.WeightLayout;

/**
 * Some input features of a linear weight W that are trained: W[:, I] = base + scale * delta,
 * written through right after each update of delta.
 *
 * @param delta what the update rule changes, in the shape of the columns, zero at the start
 * @param base the columns as they were at the start; frozen
 */
public record TrainedColumns(
    Param delta, Param base, WeightLayout layout, Columns columns, float scale) {

  /** Writes the columns: inputs base, delta, W. */
  public ScatterColumns scatter() {
    return new ScatterColumns(layout, columns, scale);
  }
}
