package dev.kindling.worker.plan;

/** Who multiplies matrices on the CPU; the pure Java product has the same bits on every machine. */
public enum MatrixProduct {
  OPENBLAS,
  JAVA
}
