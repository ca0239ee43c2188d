package dev.kindling.kernels.backend;

/**
 * Settings of one CPU backend.
 *
 * @param threads threads of this rank, at least 1
 */
public record CpuOptions(int threads, MatmulKind matmul) {
  public CpuOptions {
    if (threads < 1) {
      throw new IllegalArgumentException("threads: expected at least 1, found " + threads);
    }
  }
}
