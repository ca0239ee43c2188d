package dev.kindling.optim.objective;

import java.util.Optional;

/**
 * A number between 0 and 1 that a zeroth-order step raises, or the loss of the training data. It
 * need not have a gradient (Malladi et al. 2023, 2305.17333, section 3.3): the step takes the mean
 * of 1 - value over its questions where a loss would stand.
 */
public sealed interface Objective permits Accuracy, ExactMatch, F1, Loss {

  /** File of questions with choices, one JSON object a line; nothing for the training data. */
  Optional<String> file();

  /** The same with its questions in another place; the loss has none. */
  default Objective asking(String other) {
    return this;
  }

  /** Hash of that file's contents, 64 hexadecimal digits, where somebody read it. */
  default Optional<String> sha256() {
    return Optional.empty();
  }

  /** The same with its questions known by their hash; the loss has none. */
  default Objective holding(String sha256) {
    return this;
  }

  /** Questions of a step, over all ranks; 0 for the training data. */
  int batch();

  /** Tokens that an answer is written in at most; 0 where the given choices are scored. */
  default int tokens() {
    return 0;
  }

  /**
   * Value of an answer that the model wrote.
   *
   * @param right the right one
   * @return 0 to 1
   */
  default double value(String written, String right) {
    throw new IllegalStateException(this + " reads no written answer");
  }

  /**
   * Value of the choice that the model finds likeliest.
   *
   * @return 0 or 1
   */
  default double value(boolean right) {
    throw new IllegalStateException(this + " scores no choices");
  }
}
