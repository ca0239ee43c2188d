package dev.kindling.kernels.backend.cpu.vector;

/**
 * Cosines and sines of the rotary embedding, computed in fp64 by StrictMath so that the bits are
 * the same everywhere.
 */
public final class RopeTable {
  private RopeTable() {}

  /**
   * Fills table [positions, headDim]: row t holds the cosines of t times each of the headDim / 2
   * frequencies (radians per position), then the sines.
   */
  public static void fill(Operand table, int positions, double[] frequencies) {
    int half = frequencies.length;
    int headDim = 2 * half;
    for (int i = 0; i < half; i++) {
      for (int t = 0; t < positions; t++) {
        table.set(t * headDim + i, (float) StrictMath.cos(t * frequencies[i]));
        table.set(t * headDim + half + i, (float) StrictMath.sin(t * frequencies[i]));
      }
    }
  }
}
