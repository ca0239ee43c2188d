package dev.kindling.kernels.backend;

import dev.kindling.kernels.backend.cuda.layout.Precision;

/**
 * Settings of one CUDA backend.
 *
 * @param ordinal of the GPU among those this process sees
 * @param precision how activations and the operands of products are stored
 * @param captured whether programs are captured into CUDA graphs; eager otherwise, for looking
 *     closely
 */
public record CudaOptions(int ordinal, Precision precision, boolean captured) {
  public CudaOptions {
    if (ordinal < 0) {
      throw new IllegalArgumentException("ordinal: expected at least 0, found " + ordinal);
    }
  }
}
