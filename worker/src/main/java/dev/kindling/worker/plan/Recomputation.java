package dev.kindling.worker.plan;

/** What backward computes a second time; each word includes those before it. */
public enum Recomputation {
  AUTO,
  NONE,
  /** SwiGLU and GELU. */
  ACTIVATIONS,
  /** And outputs of norms. */
  ELEMENTS,
  /** Everything but the residual sum that each block begins with. */
  BLOCKS
}
