package dev.kindling.kernels.backend;

/** Which matrix product the CPU backend uses. */
public enum MatmulKind {
  /**
   * Fast; bits depend on the machine. Falls back to JAVA, with one warning, when it cannot load.
   */
  OPENBLAS,
  /** Fixed lane fold: the same bits on every machine and at every thread count. */
  JAVA
}
