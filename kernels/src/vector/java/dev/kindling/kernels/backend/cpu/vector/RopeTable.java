package dev.kindling.kernels.backend.cpu.vector;

/**
 * Cosines and sines of the rotary embedding, computed in fp64 by StrictMath so that the bits are
 * the same everywhere.
 */
public final class RopeTable {
  private RopeTable() {}

  /**
   * Fills table [positions, headDim]: row t holds headDim/2 cosines, then headDim/2 sines of t *
   * theta^(-2i/headDim).
   */
  public static void fill(Operand table, int positions, int headDim, double theta) {
    int half = headDim / 2;
    for (int i = 0; i < half; i++) {
      double frequency = StrictMath.pow(theta, -2.0 * i / headDim);
      for (int t = 0; t < positions; t++) {
        table.set(t * headDim + i, (float) StrictMath.cos(t * frequency));
        table.set(t * headDim + half + i, (float) StrictMath.sin(t * frequency));
      }
    }
  }
}
