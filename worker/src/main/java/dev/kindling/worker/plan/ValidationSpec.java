package dev.kindling.worker.plan;

import dev.kindling.kernels.graph.Expectation;
import dev.kindling.worker.store.StorageLocation;
import java.util.Map;
import java.util.Optional;

/**
 * When to measure the loss on held-out data and the answers to questions; nothing happens where the
 * data set holds none out and there are no questions.
 *
 * @param everySteps steps between measurements (one more follows the last step), 0 = never
 * @param batches micro-batches per rank and measurement, always the same ones
 * @param choices file of questions with given answers, as {@code eval --choices} takes it: JSON
 *     lines of {@code prompt}, {@code choices} and {@code answer}, which every rank must reach;
 *     read when ranks start. The mean log-probability of a choice's tokens decides
 */
public record ValidationSpec(long everySteps, int batches, Optional<String> choices) {
  public ValidationSpec {
    new Expectation()
        .atLeast("every_steps", everySteps, 0)
        .atLeast("batches", batches, 1)
        .notEmpty("choices", choices.orElse("-"), "a file of questions")
        .orThrow();
  }

  /** The same from any working folder. */
  ValidationSpec absolute() {
    return new ValidationSpec(
        everySteps, batches, choices.map(file -> StorageLocation.of(file).absolute().toString()));
  }

  public static Map<String, Object> defaults() {
    return Map.of("everySteps", 100L, "batches", 8);
  }
}
