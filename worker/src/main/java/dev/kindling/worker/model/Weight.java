package dev.kindling.worker.model;

import dev.kindling.kernels.graph.Demand;
import dev.kindling.kernels.graph.Init;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.op.WeightLayout;

/**
 * A named linear map from {@code in} to {@code out} features, before it is decided how it is
 * applied.
 *
 * @param name Hugging Face name without {@code .weight} or {@code .bias}
 * @param layout how the matrix lies in memory and in the checkpoint
 * @param bias whether an {@code out} wide bias is added
 * @param initStd standard deviation of the initial matrix; biases start at zero
 */
public record Weight(
    String name, int in, int out, WeightLayout layout, boolean bias, double initStd) {
  /** The linear map from hidden features to the vocabulary, where it is not the embedding table. */
  public static final String HEAD = "lm_head";

  /** The matrix as a parameter that is trained whole and decays. */
  public Param matrix() {
    Shape shape = layout.shape(out, in);
    boolean hidden = !name.equals(HEAD);
    return new Param(name + ".weight", shape, Demand.whole(), Init.normal(initStd), true, hidden);
  }

  /** The bias as a parameter that is trained whole and does not decay. */
  public Param offset() {
    return new Param(name + ".bias", Shape.of(out), Demand.whole(), Init.zeros(), false);
  }
}
