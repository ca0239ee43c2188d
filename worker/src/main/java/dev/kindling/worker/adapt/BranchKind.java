package dev.kindling.worker.adapt;

/** How a low-rank branch takes part. */
enum BranchKind {
  /** y = x W^T + s (x A^T) B^T. */
  BESIDE,
  /** The same, with a trained length of every output row. */
  LENGTHENED,
  /** y = x V^T with V = W + s (W != 0) (.) (B A). */
  MASKED
}
