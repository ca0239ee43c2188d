package dev.kindling.optim.rule;

import dev.kindling.kernels.graph.Param;

/**
 * Which parameters are the matrices of attention and MLP: those that rules for matrices are made
 * for. Tables of tokens and positions and the head have a row per token, of which a step sees few.
 */
final class HiddenMatrix {
  private static final NamePattern TABLES =
      new NamePattern("*embed_tokens.weight|*wte.weight|*wpe.weight");
  private static final NamePattern HEAD = new NamePattern("*lm_head.weight");

  private HiddenMatrix() {}

  /** Whether the parameter is a table that rows are looked up in, a tied head included. */
  static boolean isTable(Param p) {
    return TABLES.matches(p.name());
  }

  /** Whether the parameter is a matrix, but no table and no head. */
  static boolean is(Param p) {
    return p.shape().rank() == 2 && !isTable(p) && !HEAD.matches(p.name());
  }
}
