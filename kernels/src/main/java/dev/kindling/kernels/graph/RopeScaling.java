package dev.kindling.kernels.graph;

/**
 * How rotary frequencies are stretched for a context longer than the one they were chosen for; the
 * wavelength of a frequency f is 2 pi / f tokens.
 */
public sealed interface RopeScaling {

  /**
   * The frequency that takes the place of {@code frequency}, both in radians per token.
   *
   * <p>Computed in fp64 by StrictMath, as all of the tables.
   */
  double scaled(double frequency);

  /**
   * All wavelengths longer by one factor (position interpolation). After Chen et al. 2023
   * (2306.15595).
   *
   * @param factor new context over old one, above 0
   */
  record Linear(double factor) implements RopeScaling {
    public Linear {
      new Expectation().positive("factor", factor).orThrow();
    }

    @Override
    public double scaled(double frequency) {
      return frequency / factor;
    }
  }

  /**
   * Llama 3.1's: short wavelengths stay, long ones are longer by the factor, those between are
   * mixed. With n = original context / wavelength, the number of turns in it: n above {@code
   * highFreqFactor} stays, n below {@code lowFreqFactor} is divided by {@code factor}, and between
   * them f' = (1 - s) f / factor + s f with s = (n - low) / (high - low). After Grattafiori et al.
   * 2024 (2407.21783), section 3.4.2, in the form of transformers.
   *
   * @param factor by how much the long wavelengths grow, above 0
   * @param lowFreqFactor turns in the original context below which a wavelength is long
   * @param highFreqFactor turns in the original context above which a wavelength is short
   * @param originalMaxPositionEmbeddings original context in tokens
   */
  record Llama3(
      double factor, double lowFreqFactor, double highFreqFactor, int originalMaxPositionEmbeddings)
      implements RopeScaling {
    public Llama3 {
      Expectation e = new Expectation();
      e.positive("factor", factor);
      e.positive("low_freq_factor", lowFreqFactor).positive("high_freq_factor", highFreqFactor);
      e.atLeast("original_max_position_embeddings", originalMaxPositionEmbeddings, 1);
      e.orThrow();
      String above = "a number above low_freq_factor " + lowFreqFactor;
      e.that(highFreqFactor > lowFreqFactor, "high_freq_factor", above, highFreqFactor).orThrow();
    }

    @Override
    public double scaled(double frequency) {
      double turns = originalMaxPositionEmbeddings * frequency / (2 * StrictMath.PI);
      if (turns > highFreqFactor) {
        return frequency;
      }
      if (turns < lowFreqFactor) {
        return frequency / factor;
      }
      double share = (turns - lowFreqFactor) / (highFreqFactor - lowFreqFactor);
      return (1 - share) * frequency / factor + share * frequency;
    }
  }
}
