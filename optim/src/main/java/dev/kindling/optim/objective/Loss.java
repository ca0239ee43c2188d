package dev.kindling.optim.objective;

import java.util.Optional;

/** The mean loss of the training data. */
public record Loss() implements Objective {
  @Override
  public Optional<String> file() {
    return Optional.empty();
  }

  @Override
  public int batch() {
    return 0;
  }
}
