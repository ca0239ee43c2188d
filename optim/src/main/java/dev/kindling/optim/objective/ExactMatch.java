package dev.kindling.optim.objective;

import dev.kindling.kernels.graph.Expectation;
import java.util.Map;
import java.util.Optional;

/**
 * Share of the questions whose written answer has the words of the right choice, all of them in
 * their order and no others, after {@link Words} (Rajpurkar et al. 2016, 1606.05250, section 6).
 *
 * @param questions file as {@code validation.choices} reads it; of its choices the right one alone
 *     counts
 * @param batch questions of a step
 * @param tokens that an answer is written in at most, greedily, up to an end of text
 * @param sha256 of the file; filled in when a run starts
 */
public record ExactMatch(String questions, int batch, int tokens, Optional<String> sha256)
    implements Objective {
  /** Of questions that nobody read yet. */
  public ExactMatch(String questions, int batch, int tokens) {
    this(questions, batch, tokens, Optional.empty());
  }

  public ExactMatch {
    new Expectation()
        .notEmpty("questions", questions, "a file of questions")
        .atLeast("batch", batch, 1)
        .atLeast("tokens", tokens, 1)
        .sha256("sha256", sha256)
        .orThrow();
  }

  public static Map<String, Object> defaults() {
    return Map.of("batch", 16, "tokens", 32);
  }

  @Override
  public Optional<String> file() {
    return Optional.of(questions);
  }

  @Override
  public ExactMatch asking(String other) {
    return new ExactMatch(other, batch, tokens, sha256);
  }

  @Override
  public ExactMatch holding(String hash) {
    return new ExactMatch(questions, batch, tokens, Optional.of(hash));
  }

  @Override
  public double value(String written, String right) {
    return Words.of(written).equals(Words.of(right)) ? 1 : 0;
  }
}
