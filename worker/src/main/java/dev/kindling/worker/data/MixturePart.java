package dev.kindling.worker.data;

import dev.kindling.kernels.graph.Expectation;
import java.io.Serializable;

/**
 * One part of a mixture.
 *
 * @param weight its share of the training sequences, over the sum of all weights; kept to a
 *     thousandth
 * @param data what it holds, with a validation split of its own
 */
public record MixturePart(double weight, Source data) implements Serializable {
  public MixturePart {
    new Expectation().positive("weight", weight).orThrow();
  }
}
