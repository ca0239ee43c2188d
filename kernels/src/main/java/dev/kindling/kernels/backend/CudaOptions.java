package dev.kindling.kernels.backend;

import dev.kindling.kernels.backend.cuda.layout.Precision;

/**
 * Settings of one CUDA backend.
 *
 * @param ordinal of the GPU among those this process sees
 * @param precision how activations and the operands of products are stored
 * @param captured whether programs are captured into CUDA graphs; eager otherwise, for looking
 *     closely
 * @param measured whether the algorithm of a product is the fastest of some that are timed; else
 *     the library's first suggestion, which needs no record to be chosen again
 */
public record CudaOptions(int ordinal, Precision precision, boolean captured, boolean measured) {
  public CudaOptions {
    if (ordinal < 0) {
      throw new IllegalArgumentException("ordinal: expected at least 0, found " + ordinal);
    }
  }
}
