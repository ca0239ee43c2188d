package dev.kindling.worker.generate;

import java.util.ArrayList;
import java.util.List;

/**
 * How the next token is chosen.
 *
 * @param temperature divisor of the logits; 0 takes the most likely token (the lowest id of equals)
 * @param topK only the k most likely tokens, 0 for all
 * @param topP only the most likely tokens that together reach this probability, in (0, 1]
 * @param seed seed of the choice: equal seeds, weights and prompts give equal text
 */
public record Sampling(double temperature, int topK, double topP, long seed) {
  public Sampling {
    List<String> errors = new ArrayList<>();
    if (!(temperature >= 0) || Double.isInfinite(temperature)) {
      errors.add("temperature: expected a number of 0 or more, found " + temperature);
    }
    if (topK < 0) {
      errors.add("top_k: expected 0 or more, found " + topK);
    }
    if (!(topP > 0 && topP <= 1)) {
      errors.add("top_p: expected a number in (0, 1], found " + topP);
    }
    if (!errors.isEmpty()) {
      throw new IllegalArgumentException(String.join("\n", errors));
    }
  }

  /** Always the most likely token. */
  public static Sampling greedy() {
    return new Sampling(0, 0, 1, 0);
  }

  /** The model's own distribution at a temperature. */
  public static Sampling of(double temperature, long seed) {
    return new Sampling(temperature, 0, 1, seed);
  }
}
