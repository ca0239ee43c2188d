package dev.kindling.kernels.graph;

import java.util.Optional;

/**
 * Angles by which rotary positions turn: pair i of C / 2 turns by theta^(-2i / C) radians a token,
 * or by what the scaling makes of that.
 *
 * @param theta base of the frequencies
 * @param scaling how they are stretched; empty: as they are
 */
public record RopeFrequencies(double theta, Optional<RopeScaling> scaling) {

  /** Frequencies that nothing stretches. */
  public static RopeFrequencies of(double theta) {
    return new RopeFrequencies(theta, Optional.empty());
  }

  /**
   * Radians per token of each pair of a head, in fp64. StrictMath, so that the tables of all
   * backends and machines hold the same bits.
   */
  public double[] ofHead(int headDim) {
    double[] frequencies = new double[headDim / 2];
    for (int i = 0; i < frequencies.length; i++) {
      double plain = StrictMath.pow(theta, -2.0 * i / headDim);
      frequencies[i] = scaling.map(s -> s.scaled(plain)).orElse(plain);
    }
    return frequencies;
  }

  @Override
  public String toString() {
    return scaling.map(s -> theta + " " + s).orElse(Double.toString(theta));
  }
}
