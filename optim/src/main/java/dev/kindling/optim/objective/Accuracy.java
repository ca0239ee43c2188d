package dev.kindling.optim.objective;

import dev.kindling.kernels.graph.Expectation;
import java.util.Map;
import java.util.Optional;

/**
 * Share of the questions whose right choice is the likeliest, by the mean log-probability of its
 * tokens.
 *
 * @param questions file as {@code validation.choices} reads it
 * @param batch questions of a step
 * @param sha256 of the file; filled in when a run starts
 */
public record Accuracy(String questions, int batch, Optional<String> sha256) implements Objective {
  /** Of questions that nobody read yet. */
  public Accuracy(String questions, int batch) {
    this(questions, batch, Optional.empty());
  }

  public Accuracy {
    new Expectation()
        .notEmpty("questions", questions, "a file of questions")
        .atLeast("batch", batch, 1)
        .sha256("sha256", sha256)
        .orThrow();
  }

  public static Map<String, Object> defaults() {
    return Map.of("batch", 16);
  }

  @Override
  public Optional<String> file() {
    return Optional.of(questions);
  }

  @Override
  public Accuracy asking(String other) {
    return new Accuracy(other, batch, sha256);
  }

  @Override
  public Accuracy holding(String hash) {
    return new Accuracy(questions, batch, Optional.of(hash));
  }

  @Override
  public double value(boolean right) {
    return right ? 1 : 0;
  }
}
