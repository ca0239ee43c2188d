package dev.kindling.worker.data;

import dev.kindling.kernels.graph.Expectation;

/**
 * A folder that {@code data prepare} wrote; its tokenizer and sequence length must be the plan's.
 *
 * @param path the folder that holds {@code manifest.json}
 */
public record Prepared(String path) implements Source {
  public Prepared {
    new Expectation().notEmpty("path", path, "a folder").orThrow();
  }

  @Override
  public Prepared absolute() {
    return new Prepared(DataSpec.absolute(path));
  }

  /** The set's manifest says it. */
  @Override
  public boolean maskDocuments() {
    return false;
  }
}
